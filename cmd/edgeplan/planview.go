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
	"github.com/edgeplan/edgeplan/statefile"
)

// printPlan shows every model's placement, and then what would change.
func (c *cli) printPlan(p *plan.Plan) {
	for _, model := range p.Models {
		c.printModel(model)
		c.printUploads(p, model.Name)
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
	added, changed, destroyed := tally(p.Changes)
	fmt.Fprintf(c.stdout, "\n%s %d to add, %d to change, %d to destroy.", c.paint(c.stdout, bold, "Plan:"), added, changed, destroyed)
	if p.UploadBytes() > 0 {
		fmt.Fprintf(c.stdout, " Upload: %s.", quantity.FormatBytes(p.UploadBytes()))
	}
	fmt.Fprintln(c.stdout)
}

func (c *cli) printUnchanged(p *plan.Plan) {
	fmt.Fprintf(c.stdout, "%s What is deployed matches the configuration.\n", c.paint(c.stdout, green, "No changes."))
	if !p.SameState() {
		fmt.Fprintln(c.stdout, "Only the state differs: addresses, predictions or outputs.")
	}
}

func (c *cli) printModel(m plan.Model) {
	fmt.Fprintf(c.stdout, "%s: %s, %s\n\n", c.paint(c.stdout, bold, "model."+m.Name), count(len(m.Stages), "stage"), proof(m))
	printTable(c.stdout, stageRows(m))
	fmt.Fprintln(c.stdout)
	if len(m.Transfers) > 0 {
		printTable(c.stdout, transferRows(m))
		fmt.Fprintln(c.stdout)
	}
	printTable(c.stdout, [][]string{
		{"bottleneck", fmt.Sprintf("%s, %s per inference", m.Bottleneck, quantity.FormatSeconds(m.BottleneckSeconds))},
		{"throughput", throughput(m)},
		{"latency", latency(m)},
	})
	if m.Offer != nil {
		fmt.Fprintf(c.stdout, "  offer       %s inferences/s with another placement, %.1f %% better: less than replan_threshold; -replan takes it\n",
			quantity.FormatNumber(m.Offer.ThroughputPerSecond), 100*m.Offer.Gain)
	}
}

// proof says how good the placement is known to be, and among which.
func proof(m plan.Model) string {
	text := "proven optimal"
	switch {
	case m.Status == solver.Optimal:
	case m.Offer != nil:
		text = fmt.Sprintf("as deployed, at most %.1f %% from optimal", 100*m.Gap)
	case m.Reason != "":
		text = fmt.Sprintf("at most %.1f %% from optimal (%s)", 100*m.Gap, m.Reason)
	default:
		text = fmt.Sprintf("at most %.1f %% from optimal", 100*m.Gap)
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
	if m.Before != nil && m.Before.ThroughputPerSecond != m.ThroughputPerSecond {
		text = quantity.FormatNumber(m.Before.ThroughputPerSecond) + " -> " + text
	}
	return text
}

func latency(m plan.Model) string {
	text := quantity.FormatSeconds(m.LatencySeconds)
	if m.Before != nil && m.Before.LatencySeconds != m.LatencySeconds {
		text = quantity.FormatSeconds(m.Before.LatencySeconds) + " -> " + text
	}
	return text
}

// printUploads tells which device gets how many bytes for a model.
func (c *cli) printUploads(p *plan.Plan, model string) {
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
		parts = []string{"nothing"}
	}
	fmt.Fprintf(c.stdout, "  upload      %s\n\n", strings.Join(parts, ", "))
}

func (c *cli) printChange(change plan.Change) {
	symbol := fmt.Sprintf("%3s", string(change.Action))
	line := strings.TrimRight(change.Address+" "+where(change), " ")
	fmt.Fprintf(c.stdout, "%s %s\n", c.paint(c.stdout, actionColor(change.Action), symbol), line)
	for _, reason := range change.Reasons {
		fmt.Fprintf(c.stdout, "      # %s\n", reason)
	}
}

// where says on which device a change happens, what is there, and the upload.
func where(change plan.Change) string {
	text := "on " + change.AfterNode
	switch change.Action {
	case plan.Delete:
		if change.Address == change.BeforeNode {
			return ""
		}
		return "on " + change.BeforeNode
	case plan.Replace:
		text = change.BeforeNode + " -> " + change.AfterNode
	}
	if change.After != nil {
		text += fmt.Sprintf(": %s .. %s", change.After.FirstNode, change.After.LastNode)
	}
	if change.UploadBytes > 0 {
		text += fmt.Sprintf(" (upload %s)", quantity.FormatBytes(change.UploadBytes))
	}
	return text
}

func actionColor(a plan.Action) string {
	switch a {
	case plan.Create:
		return green
	case plan.Delete:
		return red
	}
	return yellow
}

// printSwitches warns of every pipeline that pauses.
func (c *cli) printSwitches(p *plan.Plan) {
	for _, d := range p.Deployments {
		switch {
		case d.Switch != plan.StopFirst || d.From == nil:
		case d.From.Release == d.To.Release:
			fmt.Fprintf(c.stdout, "\n  model.%s pauses: its release is started again on every device.\n", d.Model)
		default:
			fmt.Fprintf(c.stdout, "\n  model.%s pauses: the old release stops before the new one starts, because both do not fit side by side.\n", d.Model)
		}
	}
}

// tally counts changes as Terraform does: a replacement is one added and one destroyed.
func tally(changes []plan.Change) (added, changed, destroyed int) {
	for _, change := range changes {
		switch change.Action {
		case plan.Create:
			added++
		case plan.Update:
			changed++
		case plan.Delete:
			destroyed++
		case plan.Replace:
			added++
			destroyed++
		}
	}
	return added, changed, destroyed
}

// printOutputs shows the outputs of the configuration.
func (c *cli) printOutputs(state *statefile.State) {
	if len(state.Outputs) == 0 {
		return
	}
	fmt.Fprint(c.stdout, "\nOutputs:\n\n")
	for _, name := range sortedKeys(state.Outputs) {
		fmt.Fprintf(c.stdout, "%s = %s\n", name, state.Outputs[name])
	}
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
