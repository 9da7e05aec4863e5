package solver

import (
	"fmt"
	"slices"
	"strings"
)

// allLinked connects every node with every other.
func allLinked() change {
	return change{LinkChange, "links between all nodes", func(p *Problem) {
		p.Bandwidth = slices.Clone(p.Bandwidth)
		for u, row := range p.Bandwidth {
			p.Bandwidth[u] = slices.Clone(row)
			for v, b := range row {
				if u != v && b == 0 {
					p.Bandwidth[u][v] = 1
				}
			}
		}
	}}
}

// gatewayCut finds a gateway that reaches no node which can take the first stage,
// or is reached by none that can take the last.
func (d *diagnosis) gatewayCut() *limit {
	if d.p.Gateway == nil {
		return nil
	}
	g := *d.p.Gateway
	name := d.p.nodeName(g)
	from, to := d.near(func(v int) bool { return v == g || d.p.Bandwidth[g][v] > 0 }), d.near(func(v int) bool { return v == g || d.p.Bandwidth[v][g] > 0 })
	first, last := 0, len(d.needs.cuts)-2
	switch {
	case len(from) == 0:
		return &limit{text: fmt.Sprintf("the gateway, %s, has no link to any node that may run a stage", name), nodes: []int{g}}
	case len(to) == 0:
		return &limit{text: fmt.Sprintf("no node that may run a stage has a link to the gateway, %s", name), nodes: []int{g}}
	case !slices.ContainsFunc(from, func(v int) bool { return d.holds(first, v) }):
		return &limit{text: fmt.Sprintf("requests enter at the gateway, %s, and %s cannot run, by memory and pins, on a node that it reaches: %s", name, d.blockName(first), d.names(from)),
			nodes: append([]int{g}, from...)}
	case !slices.ContainsFunc(to, func(v int) bool { return d.holds(last, v) }):
		return &limit{text: fmt.Sprintf("results return to the gateway, %s, and %s cannot run, by memory and pins, on a node that reaches it: %s", name, d.blockName(last), d.names(to)),
			nodes: append([]int{g}, to...)}
	}
	return nil
}

// near are the usable nodes for which something holds.
func (d *diagnosis) near(holds func(int) bool) []int {
	return slices.DeleteFunc(slices.Clone(d.usable), func(v int) bool { return !holds(v) })
}

// holds says whether a node has room for some stage with a block, with regard to
// pins.
func (d *diagnosis) holds(block, node int) bool {
	return !d.needs.pinnedElsewhere(block, node) && d.needs.leastWith(block, block, node) <= d.p.room(node)
}

func (d *diagnosis) names(list []int) string {
	var out []string
	for _, v := range list {
		out = append(out, d.p.nodeName(v))
	}
	return strings.Join(out, ", ")
}

// unlinked says that links are missing, when lifting them is enough.
func (d *diagnosis) unlinked() *limit {
	if d.o.ask(d.p.with(allLinked())) != fits {
		return nil
	}
	if g := d.p.Gateway; g != nil && d.o.ask(d.p.with(change{apply: func(p *Problem) { p.Gateway = nil }})) == fits {
		return &limit{text: fmt.Sprintf("no path with links leads from the gateway, %s, through the stages and back to it", d.p.nodeName(*g)), nodes: []int{*g}}
	}
	most := min(len(d.usable), len(d.needs.cuts)-1)
	if d.p.MaxStages > 0 {
		most = min(most, d.p.MaxStages)
	}
	fewest, proven, found := d.o.least(0, int64(most), func(k int64) *Problem { return d.p.with(allLinked(), maxStages(int(k))) })
	if !found || !proven || int(fewest) == most {
		return &limit{text: fmt.Sprintf("no path of %s with links holds the stages; without regard to links there is one", nodes(most))}
	}
	return &limit{text: fmt.Sprintf("no path of %d to %s with links holds the stages; without regard to links %d are enough", fewest, nodes(most), fewest)}
}

// stagesTooFew says that more stages would do.
func (d *diagnosis) stagesTooFew() *limit {
	if d.p.MaxStages == 0 {
		return nil
	}
	least, proven, found := d.o.least(int64(d.p.MaxStages), int64(max(len(d.usable), d.p.MaxStages)), func(k int64) *Problem { return d.p.with(maxStages(int(k))) })
	if !found {
		return nil
	}
	text := fmt.Sprintf("max_stages allows %d stages, and no placement has so few", d.p.MaxStages)
	if !proven {
		return &limit{text: text}
	}
	return &limit{text: fmt.Sprintf("%s; %d are needed", text, least), short: []change{maxStages(int(least) - 1)}}
}

func (d *diagnosis) cutsTooFew() *limit {
	if d.p.AllowedCuts == nil || d.o.ask(d.p.with(change{apply: func(p *Problem) { p.AllowedCuts = nil }})) != fits {
		return nil
	}
	return &limit{text: fmt.Sprintf("no placement cuts only at the %d positions of allowed_cuts; with cuts anywhere there is one", len(d.p.AllowedCuts))}
}

func (d *diagnosis) excludedNeeded() *limit {
	if len(d.p.ExcludedNodes) == 0 || d.o.ask(d.p.with(change{apply: func(p *Problem) { p.ExcludedNodes = nil }})) != fits {
		return nil
	}
	return &limit{text: fmt.Sprintf("%s that are not excluded cannot hold the segments; with the excluded ones there is a placement", nodes(len(d.usable))), nodes: d.usable}
}
