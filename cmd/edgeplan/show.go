package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/statefile"
)

const showHelp = `[options] [PLAN]

Shows what the state says is deployed, without asking any device; with PLAN, a
file of ` + "`edgeplan plan -out`" + `, what that plan would do.

Examples:
  edgeplan show
  edgeplan show monday.plan
  edgeplan show -json monday.plan     # docs/plan-json.md describes the document
`

func runShow(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the state, or the plan, as JSON")
	files, err := c.parse(flags, showHelp, args)
	if err != nil {
		return err
	}
	switch len(files) {
	case 0:
		return c.showState(ctx, *asJSON)
	case 1:
		return c.showPlan(files[0], *asJSON)
	}
	return fmt.Errorf("edgeplan show takes one saved plan, and %d were given: %s", len(files), strings.Join(files, ", "))
}

func (c *cli) showPlan(path string, asJSON bool) error {
	p, err := c.readPlan(path)
	if err != nil {
		return err
	}
	if asJSON {
		return c.printPlanJSON(p)
	}
	c.printPlan(p)
	return nil
}

func (c *cli) showState(ctx context.Context, asJSON bool) error {
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		encoded, err := statefile.EncodeState(state)
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(encoded)
		return err
	}
	c.printState(state)
	return nil
}

func (c *cli) printState(state *statefile.State) {
	if len(state.Models) == 0 {
		fmt.Fprintln(c.stdout, "Nothing is deployed.")
	}
	for i, name := range sortedKeys(state.Models) {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		c.printDeployed(name, state.Models[name])
	}
	c.printOutputs(state)
}

func (c *cli) printDeployed(name string, m statefile.Model) {
	fmt.Fprintf(c.stdout, "%s\n", c.paint(c.stdout, bold, "model."+name))
	fmt.Fprintf(c.stdout, "  release     %s\n  gateway     %s\n", m.Release, m.Gateway)
	fmt.Fprintf(c.stdout, "  throughput  %s inferences/s predicted (%s)\n", quantity.FormatNumber(m.Prediction.ThroughputPerSecond), m.Prediction.Status)
	fmt.Fprintf(c.stdout, "  bottleneck  %s, %s per inference\n\n", m.Prediction.Bottleneck, quantity.FormatSeconds(m.Prediction.BottleneckSeconds))
	rows := [][]string{{"slice", "device", "nodes of the graph", "files", "memory"}}
	for i, slice := range m.Slices {
		rows = append(rows, []string{
			fmt.Sprintf("slice.%s[%d]", name, i),
			slice.Node,
			slice.FirstNode + " .. " + slice.LastNode,
			quantity.FormatBytes(slice.Graph.Size + sizeOf(slice.Weights)),
			quantity.FormatBytes(slice.MemoryBytes),
		})
	}
	c.printTable(rows)
}

func sizeOf(blobs []statefile.Blob) int64 {
	var n int64
	for _, blob := range blobs {
		n += blob.Size
	}
	return n
}
