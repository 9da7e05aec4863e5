package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

// mostRows of links are listed; more are drawn as a matrix.
const mostRows = 30

// show prints what is known by now, and what changed against the file before.
func (p *probing) show(asJSON bool) error {
	changes := changesOf(p.before, p.measured)
	if asJSON {
		return p.printJSON(p.document(changes))
	}
	p.showNodes()
	if len(p.measured.Links) > mostRows {
		p.showMatrix()
	} else {
		p.showLinks()
	}
	p.showProfiles()
	p.showChanges(changes)
	for _, warning := range p.warnings {
		p.warnf("%s", warning)
	}
	return nil
}

func (p *probing) title(text string) { fmt.Fprintf(p.stdout, "\n%s\n", p.paint(p.stdout, bold, text)) }

func (p *probing) showNodes() {
	if len(p.measured.Nodes) == 0 {
		return
	}
	p.title("Nodes")
	rows := [][]string{{"node", "architecture", "cores", "memory", "disk free", "compute", "worker", "engine ready in", "TLS", "clock"}}
	for _, n := range p.measured.Nodes {
		rows = append(rows, []string{n.Node, n.Architecture, strconv.Itoa(n.Cores),
			quantity.FormatBytes(n.MemoryBytes) + " of " + quantity.FormatBytes(n.MemoryTotalBytes), quantity.FormatBytes(n.DiskFreeBytes),
			ifKnown(n.ComputeFLOPPerSecond, quantity.FormatFLOPS), ifKnown(float64(n.EngineBaseBytes), func(b float64) string { return quantity.FormatBytes(int64(b)) }),
			ifKnown(n.EngineLoadSeconds, quantity.FormatSeconds), ifKnown(n.CPUSecondsPerByte, func(s float64) string { return quantity.FormatBandwidth(1/s) + " a core" }),
			fmt.Sprintf("%+.1f s", n.ClockOffsetSeconds)})
	}
	printTable(p.stdout, rows)
}

// ifKnown writes an amount, or "-" for none.
func ifKnown(x float64, format func(float64) string) string {
	if x == 0 {
		return "-"
	}
	return format(x)
}

func (p *probing) showLinks() {
	if len(p.measured.Links) == 0 {
		return
	}
	p.title("Links")
	rows := [][]string{{"from", "to", "bandwidth", "", "round trip", "measured"}}
	for _, l := range p.measured.Links {
		row := []string{l.From, l.To, "does not connect", "", "", p.age(l.MeasuredAt)}
		if l.BandwidthBytesPerSecond > 0 {
			row[2], row[3], row[4] = quantity.FormatBandwidth(l.BandwidthBytesPerSecond), "± "+quantity.FormatPercent(l.Spread), quantity.FormatSeconds(l.RoundTripSeconds)
		}
		rows = append(rows, row)
	}
	printTable(p.stdout, rows)
}

// showMatrix draws bandwidths from rows to columns, which are numbered as the rows.
func (p *probing) showMatrix() {
	p.title("Links, in Mbps from each row to each column")
	known := map[direction]measurement.Link{}
	var names []string
	for _, l := range p.measured.Links {
		known[direction{l.From, l.To}] = l
		names = append(names, l.From, l.To)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	header := []string{"", "from"}
	for i := range names {
		header = append(header, strconv.Itoa(i+1))
	}
	rows := [][]string{header}
	for i, from := range names {
		row := []string{strconv.Itoa(i + 1), from}
		for _, to := range names {
			row = append(row, matrixCell(known, direction{from, to}))
		}
		rows = append(rows, row)
	}
	printTable(p.stdout, rows)
}

func matrixCell(known map[direction]measurement.Link, d direction) string {
	l, ok := known[d]
	switch {
	case !ok:
		return "·"
	case l.BandwidthBytesPerSecond == 0:
		return "none"
	}
	return quantity.FormatNumber(l.BandwidthBytesPerSecond * 8 / 1e6)
}

// showProfiles prints the whole range of each model on each node, or the longest that
// was timed, and how many others were.
func (p *probing) showProfiles() {
	if len(p.measured.Profiles) == 0 {
		return
	}
	p.title("Models")
	rows := [][]string{{"node", "model", "segments", "time", "", "memory", "ranges", "measured"}}
	type key struct{ node, model string }
	longest, ranges := map[key]measurement.Profile{}, map[key]int{}
	var order []key
	for _, m := range p.measured.Profiles {
		k := key{m.Node, modelText(m)}
		was, ok := longest[k]
		if !ok {
			order = append(order, k)
		}
		ranges[k]++
		if !ok || m.LastSegment-m.FirstSegment > was.LastSegment-was.FirstSegment {
			longest[k] = m
		}
	}
	slices.SortFunc(order, func(a, b key) int { return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.model, b.model)) })
	for _, k := range order {
		m := longest[k]
		rows = append(rows, []string{k.node, k.model, fmt.Sprintf("%d to %d", m.FirstSegment, m.LastSegment), quantity.FormatSeconds(m.Seconds),
			"± " + quantity.FormatPercent(m.Spread), ifKnown(float64(m.PeakMemoryBytes), func(b float64) string { return quantity.FormatBytes(int64(b)) }),
			strconv.Itoa(ranges[k]), p.age(m.MeasuredAt)})
	}
	printTable(p.stdout, rows)
}

// modelText is as "m", or "m (batch=8)".
func modelText(m measurement.Profile) string {
	if m.Dimensions == "" {
		return m.Model
	}
	return m.Model + " (" + m.Dimensions + ")"
}

// age is as "3h ago", or "now".
func (p *probing) age(at time.Time) string {
	d := p.now().Sub(at)
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// notable is a change that is worth a line: 5 %.
const notable = 0.05

// measuredChange is a value that differs from the file before.
type measuredChange struct {
	What string  `json:"what"`
	Was  float64 `json:"was"` // 0 is new
	Is   float64 `json:"is"`
	Unit string  `json:"unit"` // bytes, bytes_per_second, seconds

	text func(float64) string
}

func (c measuredChange) String() string {
	if c.Was == 0 {
		return fmt.Sprintf("%s: %s (none before)", c.What, c.text(c.Is))
	}
	if c.Is == 0 {
		return fmt.Sprintf("%s: %s -> none", c.What, c.text(c.Was))
	}
	return fmt.Sprintf("%s: %s -> %s (%+.0f%%)", c.What, c.text(c.Was), c.text(c.Is), 100*(c.Is/c.Was-1))
}

// values are what is compared of measurements, by name.
func values(m *measurement.Measurements) map[string]measuredChange {
	all := map[string]measuredChange{}
	add := func(what, unit string, is float64, text func(float64) string) {
		all[what] = measuredChange{What: what, Is: is, Unit: unit, text: text}
	}
	inBytes := func(x float64) string { return quantity.FormatBytes(int64(x)) }
	for _, n := range m.Nodes {
		add(n.Node+" memory", "bytes", float64(n.MemoryBytes), inBytes)
		add(n.Node+" cores", "cores", float64(n.Cores), quantity.FormatNumber)
	}
	for _, l := range m.Links {
		add(l.From+" -> "+l.To, "bytes_per_second", l.BandwidthBytesPerSecond, quantity.FormatBandwidth)
	}
	for _, f := range m.Profiles {
		what := fmt.Sprintf("%s of %s on %s", segmentRange{f.FirstSegment, f.LastSegment}.name(), modelText(f), f.Node)
		add(what, "seconds", f.Seconds, quantity.FormatSeconds)
	}
	return all
}

// changesOf are the values that differ notably, sorted; what is new among them where
// there was something before.
func changesOf(before, after *measurement.Measurements) []measuredChange {
	was, is := values(before), values(after)
	changes := []measuredChange{}
	for _, what := range sortedKeys(is) {
		now := is[what]
		old, known := was[what]
		if known && math.Abs(now.Is-old.Is) > notable*math.Abs(old.Is) {
			now.Was = old.Is
			changes = append(changes, now)
		}
	}
	return changes
}

func (p *probing) showChanges(changes []measuredChange) {
	news := 0
	was := values(p.before)
	for what := range values(p.measured) {
		if _, known := was[what]; !known {
			news++
		}
	}
	if len(changes) > 0 {
		p.title("Changed by more than " + quantity.FormatPercent(notable))
		for _, change := range changes {
			fmt.Fprintf(p.stdout, "  %s\n", change)
		}
	}
	fmt.Fprintf(p.stdout, "\n%s: %s, %s changed.\n", measurement.FileName, count(news, "new value"), strconv.Itoa(len(changes)))
}

// probeDocument is what `probe -json` prints.
type probeDocument struct {
	FormatVersion int                       `json:"format_version"`
	Complete      bool                      `json:"complete"` // all that was asked for is measured
	Failures      []string                  `json:"failures"`
	Warnings      []string                  `json:"warnings"`
	Changes       []measuredChange          `json:"changes"`
	Measurements  *measurement.Measurements `json:"measurements"`
}

func (p *probing) document(changes []measuredChange) probeDocument {
	d := probeDocument{FormatVersion: 1, Complete: len(p.failures) == 0 && !p.cut, Failures: []string{}, Warnings: append([]string{}, p.warnings...),
		Changes: changes, Measurements: p.measured}
	for _, err := range p.failures {
		d.Failures = append(d.Failures, err.Error())
	}
	return d
}
