package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

// printPlan shows what was found, every model's placement, and then what would change.
func (c *cli) printPlan(p *plan.Plan) {
	c.printFound(p)
	c.printExcluded(p)
	for _, model := range p.Models {
		c.printModel(p, model)
		if model.Explain != nil {
			c.printExplanation(model.Explain)
			fmt.Fprintln(c.stdout)
		}
	}
	if p.Empty() {
		c.printUnchanged(p)
		return
	}
	fmt.Fprint(c.stdout, "edgeplan will perform these actions:\n\n")
	for _, change := range p.Changes {
		c.printChange(change)
	}
	c.printSwitches(p)
	fmt.Fprintln(c.stdout)
	c.printUploads(p)
	c.printOutputChanges(p)
	c.printSummary(p)
}

// printSummary counts what the plan does.
func (c *cli) printSummary(p *plan.Plan) {
	if p.Empty() {
		c.printUnchanged(p)
		return
	}
	added, changed, destroyed := tally(p.Changes)
	text := fmt.Sprintf("%d to add, %d to change, %d to destroy.", added, changed, destroyed) + uploadSummary(p)
	c.printWrapped(c.paint(c.stdout, bold, "Plan:")+" ", len("Plan: "), text)
}

func (c *cli) printUnchanged(p *plan.Plan) {
	title, text := "No changes.", "What is deployed matches the configuration."
	switch {
	case !p.SameState():
		title, text = "No changes on devices.", "Only the state differs: addresses, predictions or outputs."
		c.printOutputChanges(p)
	case p.Mode == plan.RefreshOnly:
		text = "The state is up to date, and -refresh-only changes no device."
	case p.Mode == plan.Destroying:
		text = "Nothing is deployed."
	}
	c.printWrapped(c.paint(c.stdout, green, title)+" ", len(title)+1, text)
}

func (c *cli) printModel(p *plan.Plan, m plan.Model) {
	c.printWrapped(c.paint(c.stdout, bold, "model."+m.Name)+": ", 2, fmt.Sprintf("%s, %s", count(len(m.Stages), "stage"), proof(m)))
	fmt.Fprintln(c.stdout)
	c.printTable(stageRows(m))
	fmt.Fprintln(c.stdout)
	if len(m.Transfers) > 0 {
		c.printTable(transferRows(m))
		fmt.Fprintln(c.stdout)
	}
	facts := [][2]string{
		{"bottleneck", fmt.Sprintf("%s, %s per inference", m.Bottleneck, quantity.FormatSeconds(m.BottleneckSeconds))},
		{"throughput", throughput(m)},
		{"latency", latency(m)},
		{"figures", figures(m)},
	}
	if others := beside(p, m); others != "" {
		facts = slices.Insert(facts, 2, [2]string{"beside", others})
	}
	if m.Offer != nil {
		facts = append(facts, [2]string{"offer", offer(m)})
	}
	if keys := newKeys(p, m.Name); keys != "" {
		facts = append(facts, [2]string{"keys", keys})
	}
	c.printFacts(append(facts, [2]string{"upload", uploadsOf(p, m.Name)}))
	fmt.Fprintln(c.stdout)
}

func offer(m plan.Model) string {
	return fmt.Sprintf("%s inferences/s with another placement, %.1f%% better: less than replan_threshold; -replan takes it",
		quantity.FormatNumber(m.Offer.ThroughputPerSecond), 100*m.Offer.Gain)
}

// printOffers tells of better placements that are not taken.
func (c *cli) printOffers(p *plan.Plan) {
	for _, m := range p.Models {
		if m.Offer != nil {
			c.printWrapped("", 2, "model."+m.Name+": "+offer(m))
		}
	}
}

// newKeys names the devices whose worker makes its key with this plan.
func newKeys(p *plan.Plan, model string) string {
	var nodes []string
	m := p.Desired.Models[model]
	for _, node := range plan.ReleaseNodes(&m) {
		if p.Desired.Nodes[node].PublicKey == "" {
			nodes = append(nodes, node)
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return "(known after apply) on " + strings.Join(nodes, ", ")
}

// proof says how good the placement is known to be, and among which.
func proof(m plan.Model) string {
	text := "proven optimal"
	switch {
	case m.Status == solver.Optimal:
	case m.Offer != nil:
		text = fmt.Sprintf("as deployed, at most %.1f%% from optimal", 100*m.Gap)
	case m.Reason != "":
		text = fmt.Sprintf("at most %.1f%% from optimal (%s)", 100*m.Gap, m.Reason)
	default:
		text = fmt.Sprintf("at most %.1f%% from optimal", 100*m.Gap)
	}
	return text
}

func stageRows(m plan.Model) [][]string {
	rows := [][]string{{"stage", "device", "nodes of the graph", "weights", "memory", "compute"}}
	for _, s := range m.Stages {
		rows = append(rows, []string{
			fmt.Sprint(s.Index),
			s.Node,
			fmt.Sprintf("%s .. %s (%d)", s.FirstNode, s.LastNode, s.Segments),
			quantity.FormatBytes(s.WeightBytes),
			fmt.Sprintf("%s of %s", quantity.FormatBytes(s.MemoryBytes), quantity.FormatBytes(s.MemoryLimit)),
			quantity.FormatSeconds(s.Seconds),
		})
	}
	return rows
}

func transferRows(m plan.Model) [][]string {
	rows := [][]string{{"transfer", "tensors", "bytes", "over", "time"}}
	for _, t := range m.Transfers {
		rows = append(rows, []string{
			t.From + " -> " + t.To,
			tensorNames(t.Tensors),
			quantity.FormatBytes(t.Bytes),
			t.Via,
			quantity.FormatSeconds(t.Seconds),
		})
	}
	return rows
}

// tensorNames lists up to two names and counts the rest.
func tensorNames(tensors []tensor.Info) string {
	var names []string
	for _, t := range tensors {
		names = append(names, t.Name)
	}
	if len(names) > 2 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

func throughput(m plan.Model) string {
	text := quantity.FormatNumber(m.ThroughputPerSecond) + " inferences/s"
	if low, high := quantity.FormatNumber(m.ThroughputLowPerSecond), quantity.FormatNumber(m.ThroughputHighPerSecond); low != high {
		text += fmt.Sprintf(" (%s to %s)", low, high)
	}
	if m.Before != nil && m.Before.ThroughputPerSecond != m.ThroughputPerSecond {
		text = quantity.FormatNumber(m.Before.ThroughputPerSecond) + " -> " + text
	}
	return text
}

// beside names what runs at the same time, on which the throughput depends: the
// models of a plan are placed together.
func beside(p *plan.Plan, m plan.Model) string {
	var others []string
	for _, other := range p.Models {
		if other.Name != m.Name {
			others = append(others, fmt.Sprintf("model.%s at %s inferences/s", other.Name, quantity.FormatNumber(other.ThroughputPerSecond)))
		}
	}
	return strings.Join(others, ", ")
}

func latency(m plan.Model) string {
	text := quantity.FormatSeconds(m.LatencySeconds)
	if m.Before != nil && m.Before.LatencySeconds != m.LatencySeconds {
		text = quantity.FormatSeconds(m.Before.LatencySeconds) + " -> " + text
	}
	return text
}

// uploadsOf tells which device gets how many bytes for a model.
func uploadsOf(p *plan.Plan, model string) string {
	perNode := map[string]int64{}
	for _, change := range p.Changes {
		if change.Model == model && change.UploadBytes > 0 {
			perNode[change.AfterNode] += change.UploadBytes
		}
	}
	var parts []string
	for _, node := range sortedKeys(perNode) {
		parts = append(parts, fmt.Sprintf("%s to %s", quantity.FormatBytes(perNode[node]), node))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// printTable prints rows in columns, indented.
func printTable(w io.Writer, rows [][]string) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(table, "  %s\n", strings.Join(row, "\t"))
	}
	table.Flush() //nolint:errcheck // the stream's own errors are the caller's
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
