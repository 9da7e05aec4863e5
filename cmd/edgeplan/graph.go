package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/statefile"
)

const graphHelp = `[options]

Draws the devices, links and networks of the configuration, and the pipelines that
the state says are deployed: an arrow for every hop of an inference. Prints DOT for
Graphviz, or a Mermaid flowchart, which code hosts render in Markdown.

Examples:
  edgeplan graph | dot -Tsvg > cluster.svg
  edgeplan graph -format=mermaid
`

func runGraph(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("graph", flag.ContinueOnError)
	var vars variables
	vars.add(flags)
	format := flags.String("format", "dot", "`FORMAT` of the graph: dot or mermaid")
	if err := c.parseNone(flags, graphHelp, args); err != nil {
		return err
	}
	draw := map[string]func(drawing) string{"dot": drawDOT, "mermaid": drawMermaid}[*format]
	if draw == nil {
		return fmt.Errorf("-format=%s is no format of a graph: choose dot or mermaid", *format)
	}
	cfg, err := c.loadConfig(vars)
	if err != nil {
		return err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(c.stdout, draw(newDrawing(cfg, state)))
	return nil
}

// drawing is a graph before it is written in a format.
type drawing struct {
	boxes []box
	lines []line
}

// box is a device or a network.
type box struct {
	address string
	labels  []string // lines under the address
	network bool
	dashed  bool // not in use
}

// line joins two boxes; an arrow is a hop of a pipeline.
type line struct {
	from, to string // addresses
	label    string
	arrow    bool
}

func newDrawing(cfg *config.Config, state *statefile.State) drawing {
	var d drawing
	carried := carriedBy(state)
	for _, node := range cfg.Nodes {
		labels := []string{knownOr(node.MemoryOrigin, quantity.FormatBytes(node.Memory)) + ", " + knownOr(node.ComputeOrigin, quantity.FormatFLOPS(node.Compute))}
		d.boxes = append(d.boxes, box{address: node.Address, labels: append(labels, carried[node.Address]...), dashed: !node.Enabled})
		delete(carried, node.Address)
	}
	for _, node := range sortedKeys(carried) {
		d.boxes = append(d.boxes, box{address: node, labels: append([]string{"left the configuration"}, carried[node]...), dashed: true})
	}
	for _, link := range cfg.Links {
		d.lines = append(d.lines, line{from: link.Between[0], to: link.Between[1], label: lineLabel(link.Address, link.Bandwidth)})
	}
	for _, network := range cfg.Networks {
		d.addNetwork(network)
	}
	for _, name := range sortedKeys(state.Models) {
		d.addPipeline(name, state.Models[name])
	}
	return d
}

// carriedBy says what is deployed on each node.
func carriedBy(state *statefile.State) map[string][]string {
	carried := map[string][]string{}
	for node := range state.Nodes {
		carried[node] = nil
	}
	for _, name := range sortedKeys(state.Models) {
		model := state.Models[name]
		carried[model.Gateway] = append(carried[model.Gateway], "gateway of model."+name)
		for i, slice := range model.Slices {
			carried[slice.Node] = append(carried[slice.Node], fmt.Sprintf("slice.%s[%d]", name, i))
		}
	}
	return carried
}

// knownOr is an amount, where it is known.
func knownOr(from config.Origin, amount string) string {
	if from == config.Lacking {
		return "not measured"
	}
	return amount
}

func lineLabel(address string, bandwidth float64) string {
	return address + ", " + bandwidthOf(bandwidth)
}

// bandwidthOf is that of a link or a network; 0 is what was measured of each direction.
func bandwidthOf(bandwidth float64) string {
	if bandwidth == 0 {
		return "as measured"
	}
	return quantity.FormatBandwidth(bandwidth)
}

// addNetwork draws a network as a box of its own, since it joins every pair.
func (d *drawing) addNetwork(n *config.Network) {
	label := fmt.Sprintf("%d measured directions", len(n.Links))
	if len(n.Links) == 0 {
		label = bandwidthOf(n.Bandwidth)
	}
	if n.Shared {
		label += ", shared"
	}
	d.boxes = append(d.boxes, box{address: n.Address, labels: []string{label}, network: true})
	for _, node := range n.Nodes {
		d.lines = append(d.lines, line{from: n.Address, to: node})
	}
}

// addPipeline draws the way of an inference from the gateway through all stages
// and back.
func (d *drawing) addPipeline(name string, m statefile.Model) {
	at := m.Gateway
	for i, slice := range m.Slices {
		d.addHop(at, slice.Node, fmt.Sprintf("to slice.%s[%d]", name, i))
		at = slice.Node
	}
	d.addHop(at, m.Gateway, "result of model."+name)
}

func (d *drawing) addHop(from, to, label string) {
	if from != to {
		d.lines = append(d.lines, line{from: from, to: to, label: label, arrow: true})
	}
}
