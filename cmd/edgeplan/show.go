package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/statefile"
)

const showHelp = `[options]

Shows what the state says is deployed, without asking any device.
`

func runShow(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the state as JSON")
	c.addNoColor(flags)
	if err := c.parseNone(flags, showHelp, args); err != nil {
		return err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
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
	for _, name := range sortedKeys(state.Models) {
		c.printDeployed(name, state.Models[name])
	}
	c.printOutputs(state)
}

func (c *cli) printDeployed(name string, m statefile.Model) {
	fmt.Fprintf(c.stdout, "%s\n", c.paint(c.stdout, bold, "model."+name))
	fmt.Fprintf(c.stdout, "  release     %s\n  gateway     %s\n", m.Release, m.Gateway)
	fmt.Fprintf(c.stdout, "  throughput  %s/s predicted (%s)\n", quantity.FormatNumber(m.Prediction.ThroughputPerSecond), m.Prediction.Status)
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
	printTable(c.stdout, rows)
	fmt.Fprintln(c.stdout)
}

func sizeOf(blobs []statefile.Blob) int64 {
	var n int64
	for _, blob := range blobs {
		n += blob.Size
	}
	return n
}
