package main

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
)

// conflictJSON is the JSON of `solve -explain` where nothing fits; a placement has
// a plan.Explanation.
type conflictJSON struct {
	Limit    string   `json:"limit"`
	Nodes    []string `json:"nodes"`
	Segments []int    `json:"segments"`
	Remedies []string `json:"remedies"`
}

func newConflictJSON(p *solver.Problem, c *solver.Conflict) *conflictJSON {
	out := &conflictJSON{Limit: c.Limit, Nodes: []string{}, Segments: append([]int{}, c.Segments...), Remedies: []string{}}
	for _, v := range c.Nodes {
		out.Nodes = append(out.Nodes, p.NodeName(v))
	}
	for _, r := range c.Remedies {
		out.Remedies = append(out.Remedies, r.Text)
	}
	return out
}

// Lines that are printed; -json has all.
const (
	mostResources = 12
	mostGains     = 10
)

// printExplanation shows what is busy and what would help, the most telling lines
// of each.
func (c *cli) printExplanation(x *plan.Explanation) {
	rows := [][]string{{"resource", "busy", "share", "slack"}}
	for _, r := range x.Resources[:min(len(x.Resources), mostResources)] {
		slack := "none"
		if r.SlackSeconds > 0 {
			slack = quantity.FormatSeconds(r.SlackSeconds)
		}
		rows = append(rows, []string{r.Resource, quantity.FormatSeconds(r.Seconds), quantity.FormatPercent(r.Share), slack})
	}
	printTable(c.stdout, rows)
	c.printMore(len(x.Resources)-mostResources, "less busy")
	if x.Tried+x.Untried == 0 {
		return
	}
	fmt.Fprintln(c.stdout)
	if len(x.Gains) == 0 {
		fmt.Fprintf(c.stdout, "  None of %s that were tried gives more throughput.\n", count(x.Tried, "change"))
	} else {
		printTable(c.stdout, gainRows(x.Gains))
		c.printMore(len(x.Gains)-mostGains, "that help less")
	}
	if x.Untried > 0 {
		fmt.Fprintf(c.stdout, "  %s not tried: the work is bounded, or was interrupted.\n", count(x.Untried, "more change"))
	}
}

func (c *cli) printMore(n int, what string) {
	if n > 0 {
		fmt.Fprintf(c.stdout, "  … and %d %s (-json has all)\n", n, what)
	}
}

func gainRows(gains []plan.Gain) [][]string {
	rows := [][]string{{"what would help", "throughput", "gain", "placement"}}
	for _, g := range gains[:min(len(gains), mostGains)] {
		least, placement := "", "stays"
		if !g.Proven {
			least = "at least "
		}
		if g.Moves {
			placement = "changes"
		}
		gain, throughput := "no bottleneck is left", "unbounded"
		if g.Gain != nil {
			gain = least + "+" + quantity.FormatPercent(*g.Gain)
			throughput = least + quantity.FormatNumber(*g.ThroughputPerSecond) + " inferences/s"
		}
		rows = append(rows, []string{g.Change, throughput, gain, placement})
	}
	return rows
}
