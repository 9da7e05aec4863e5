package solver

import (
	"fmt"
	"slices"
)

// newLinks is one link that is missing, or else a smallest set of links.
func (d *diagnosis) newLinks() *remedy {
	if d.o.ask(d.p.with(allLinked())) != fits {
		return nil
	}
	links := d.missingLinks()
	if len(links) > mostPairs {
		return nil
	}
	if r := d.first(links); r != nil {
		return r
	}
	var all []lift
	for _, c := range links {
		all = append(all, lift{change: c})
	}
	if all = d.needed(all); len(all) > mostLinks {
		return nil
	}
	return &remedy{changes: changesOf(all)}
}

// missingLinks are the links between nodes that send or receive which are not there.
func (d *diagnosis) missingLinks() []change {
	var out []change
	for u := range d.p.Nodes {
		for v := range d.p.Nodes {
			if u != v && d.p.Bandwidth[u][v] == 0 && d.maySend(u) && d.maySend(v) {
				name := fmt.Sprintf("a link %s -> %s", d.p.nodeName(u), d.p.nodeName(v))
				out = append(out, newLink(name, [2]int{u, v}))
			}
		}
	}
	return out
}

// maySend says whether transfers begin or end on a node: it is usable or the gateway.
func (d *diagnosis) maySend(v int) bool {
	return slices.Contains(d.usable, v) || d.p.Gateway != nil && *d.p.Gateway == v
}
