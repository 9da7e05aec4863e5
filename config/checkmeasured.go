package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

// CheckMeasured tells what a plan must know of measurements: faults of their file and
// amounts that are neither written nor measured as errors; links that were not measured,
// and what is written and differs from a measurement, as warnings. The nodes for which
// computes is false run no stage and need no compute.
func (c *Config) CheckMeasured(computes func(*Node) bool) hcl.Diagnostics {
	if len(c.unread) > 0 {
		return c.unread
	}
	m := &measuredCheck{report: &report{}, Config: c, enabled: map[string]bool{}, linked: map[pair]bool{}}
	for _, n := range c.Nodes {
		m.enabled[n.Address] = n.Enabled
	}
	for _, l := range c.Links {
		m.linked[unordered(l.Between[0], l.Between[1])] = true
		m.link(l)
	}
	for _, n := range c.Networks {
		m.network(n)
	}
	for _, n := range c.Nodes {
		if n.Enabled {
			m.node(n, computes(n))
		}
	}
	m.tellLacks()
	m.tellDifferences()
	m.strangers()
	return m.finish()
}

type measuredCheck struct {
	*report
	*Config
	enabled     map[string]bool // false for a node that is disabled
	linked      map[pair]bool   // by links, which win over networks
	differences []difference
	lacks       []lacking
}

const neitherNor = "Neither written nor measured"

func (m *measuredCheck) node(n *Node, computes bool) {
	var names, lines []string
	lack := func(origin Origin, name string) {
		if origin == Lacking {
			names, lines = append(names, "no "+name), append(lines, fmt.Sprintf("\n  %s = %s", name, amountExample(name)))
		}
	}
	lack(n.MemoryOrigin, "memory")
	if computes {
		lack(n.ComputeOrigin, "compute")
	}
	if len(names) > 0 {
		m.lack(n, fmt.Sprintf("has %s, and it was not measured either. Run `edgeplan probe`, or add lines such as:%s",
			strings.Join(names, " and "), strings.Join(lines, "")))
	}
	measured := m.Measured.Node(n.Address)
	if measured == nil {
		return
	}
	if float64(n.Memory) > float64(measured.MemoryBytes) { // less is a limit, not a claim
		m.compare(n.memoryAt, n.Address, "memory", float64(n.Memory), float64(measured.MemoryBytes), showBytes, measured.MeasuredAt.Format(dayFormat))
	}
	m.compare(n.computeAt, n.Address, "compute", n.Compute, measured.ComputeFLOPPerSecond, quantity.FormatFLOPS, measured.MeasuredAt.Format(dayFormat))
	m.compareKind(n, measured)
}

// lacking is what nodes of one block lack.
type lacking struct {
	at      *hcl.Range
	problem string
	nodes   []string
}

// lack notes what a node lacks with the others of its block.
func (m *measuredCheck) lack(n *Node, problem string) {
	for i, l := range m.lacks {
		if compareRanges(l.at, &n.Range) == 0 && l.problem == problem {
			m.lacks[i].nodes = append(l.nodes, n.Address)
			return
		}
	}
	m.lacks = append(m.lacks, lacking{&n.Range, problem, []string{n.Address}})
}

func (m *measuredCheck) tellLacks() {
	for _, l := range m.lacks {
		others := ""
		if more := len(l.nodes) - 1; more > 0 {
			others = fmt.Sprintf(" (and %d more of this block)", more)
		}
		m.fault(l.at, neitherNor, "%s%s %s", l.nodes[0], others, l.problem)
	}
}

// compareKind warns of nodes that are said to be alike and are not.
func (m *measuredCheck) compareKind(n *Node, measured *measurement.Node) {
	of := m.Measured.Node(n.ProfileOf)
	if of == nil || of.Architecture == measured.Architecture && of.Cores == measured.Cores {
		return
	}
	m.warn(n.profileOfAt, "Nodes are not alike", "%s was measured as %s with %s, and %s, whose profile it is to have, as %s with %s. Name a node of the same kind, or leave profile_of out.",
		n.Address, measured.Architecture, cores(measured.Cores), of.Node, of.Architecture, cores(of.Cores))
}

func cores(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}

func showBytes(n float64) string { return quantity.FormatBytes(int64(n)) }

// dayFormat of dates in messages; measurements are in UTC.
const dayFormat = "2006-01-02"

// link asks for a link whose bandwidth is left out that at least one direction was measured.
func (m *measuredCheck) link(l *Link) {
	if m.off(l.Between[0]) || m.off(l.Between[1]) {
		return
	}
	ways := []pair{{l.Between[0], l.Between[1]}, {l.Between[1], l.Between[0]}}
	lacking := m.compareWays(l.Address, l.bandwidthAt, l.Bandwidth, ways)
	switch {
	case !l.unmeasured || len(lacking) == 0:
	case len(lacking) == 2:
		m.fault(&l.Range, neitherNor, "%s has no bandwidth, and neither direction was measured to let anything through. Run `edgeplan probe`, or add a line such as:\n  bandwidth = %s", l.Address, amountExample("bandwidth"))
	default:
		m.warn(&l.Range, oneWay, "%s has no bandwidth and works in one direction only by what was measured, so nothing is sent from %s to %s. Run `edgeplan probe -again -only links` once it should work, or write the bandwidth.", l.Address, lacking[0].from, lacking[0].to)
	}
}

const oneWay = "Links are not known to work"

func (m *measuredCheck) off(node string) bool { return !m.enabled[node] }

// network asks for a network whose bandwidth is left out that pairs of it were measured.
func (m *measuredCheck) network(n *Network) {
	for _, row := range n.Links {
		if p := (pair{row.From, row.To}); m.carries(p) {
			m.compareWays(n.Address, n.bandwidthAt, row.Bandwidth, []pair{p})
		}
	}
	if n.Links != nil {
		return
	}
	var ways []pair
	for _, from := range n.Nodes {
		for _, to := range n.Nodes {
			if p := (pair{from, to}); m.carries(p) {
				ways = append(ways, p)
			}
		}
	}
	lacking := m.compareWays(n.Address, n.bandwidthAt, n.Bandwidth, ways)
	switch {
	case !n.unmeasured || len(lacking) == 0:
	case len(lacking) == len(ways):
		m.fault(&n.Range, neitherNor, "%s has no bandwidth, and none of its %d directions was measured to let anything through. Run `edgeplan probe`, or add a line such as:\n  bandwidth = %s", n.Address, len(ways), amountExample("bandwidth"))
	default:
		m.warn(&n.Range, oneWay, "%s has no bandwidth, and %d of its %d directions were not measured or let nothing through, the first from %s to %s. Nothing is sent there. Run `edgeplan probe -again -only links` once they should work, or write a link for them.",
			n.Address, len(lacking), len(ways), lacking[0].from, lacking[0].to)
	}
}

// carries says whether a network decides for a pair.
func (m *measuredCheck) carries(p pair) bool {
	return p.from != p.to && m.enabled[p.from] && m.enabled[p.to] && !m.linked[unordered(p.from, p.to)]
}

// compareWays compares a bandwidth with the measured ones, and gives the directions that
// were not measured, or let nothing through.
func (m *measuredCheck) compareWays(address string, at written, bandwidth float64, ways []pair) (lacking []pair) {
	for _, p := range ways {
		measured := m.Measured.Link(p.from, p.to)
		if measured == nil || measured.BandwidthBytesPerSecond == 0 {
			lacking = append(lacking, p)
		}
		if measured == nil {
			continue
		}
		m.compare(at, fmt.Sprintf("%s (%s to %s)", address, p.from, p.to), "bandwidth", bandwidth,
			measured.BandwidthBytesPerSecond, quantity.FormatBandwidth, measured.MeasuredAt.Format(dayFormat))
	}
	return lacking
}

// difference is an amount that is written otherwise than it was measured.
type difference struct {
	at             *hcl.Range
	address, name  string
	given, got, on string
}

// mostDifference from a measurement, as a share of it, is not told.
const mostDifference = 0.25

func (m *measuredCheck) compare(at written, address, name string, given, measured float64, show func(float64) string, on string) {
	if at == nil || measured <= 0 && name != "bandwidth" || given <= 0 {
		return // of a bandwidth, 0 is that nothing got through
	}
	if share := given/measured - 1; share > mostDifference || share < -mostDifference {
		m.differences = append(m.differences, difference{at, address, name, show(given), show(measured), on})
	}
}

// tellDifferences tells the differences of one place together: a block may stand for
// hundreds of nodes or pairs.
func (m *measuredCheck) tellDifferences() {
	for i, d := range m.differences {
		same := func(o difference) bool { return compareRanges(o.at, d.at) == 0 }
		if slices.IndexFunc(m.differences[:i], same) >= 0 {
			continue
		}
		more := 0
		for _, o := range m.differences[i+1:] {
			if same(o) {
				more++
			}
		}
		text := ""
		switch {
		case more == 1:
			text = " The same line differs from one more measurement."
		case more > 1:
			text = fmt.Sprintf(" The same line differs from %d more measurements.", more)
		}
		m.warn(d.at, "Differs from what was measured", "%s of %s is %s here, and %s was measured on %s (%s). What is written here counts; remove it to take what was measured.%s",
			d.name, d.address, d.given, d.got, d.on, measurement.FileName, text)
	}
}

// strangers tells of measurements of nodes and of models that are not in the configuration.
func (m *measuredCheck) strangers() {
	if m.incomplete {
		return
	}
	var nodes, models []string
	all := m.Measured.All()
	for _, n := range all.Nodes {
		nodes = append(nodes, n.Node)
	}
	for _, l := range all.Links {
		nodes = append(nodes, l.From, l.To)
	}
	for _, p := range all.Profiles {
		nodes, models = append(nodes, p.Node), append(models, p.Model)
	}
	m.unknown("node", nodes, func(address string) bool { _, known := m.enabled[address]; return known })
	m.unknown("model", models, func(name string) bool {
		return slices.ContainsFunc(m.Models, func(model *Model) bool { return model.Name == name })
	})
}

// unknown tells of the measured things of one sort that are not known.
func (m *measuredCheck) unknown(sort string, names []string, known func(string) bool) {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), known)
	if len(names) == 0 {
		return
	}
	m.warn(nil, "Measurements of unknown "+sort+"s", "%s holds measurements of %s that the configuration does not have, %s first. They are kept and do not count: rename them with the %s, or delete them.",
		measurement.FileName, counted(len(names), sort), names[0], sort)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
