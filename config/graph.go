package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// everyNode stands between what may name any node and the nodes.
var everyNode = address{kind: "every node"}

// graph orders declarations so that each comes after what it refers to. It is a
// depth-first search in the order of declaration, which makes the result the
// same for the same files.
type graph struct {
	*report
	decls *declarations
	nodes *declaration // everyNode

	state map[address]visit
	path  []reference // from the root of the search to where it is
	order []*declaration
	// told are cycles already reported.
	told map[string]bool
}

type visit int

const (
	unseen visit = iota
	open
	done
)

// order resolves references, reports cycles, and gives the order of evaluation.
func (l *loader) order(ds *declarations) []*declaration {
	l.resolve(ds)
	g := &graph{report: l.report, decls: ds, state: map[address]visit{}, told: map[string]bool{}}
	g.nodes = &declaration{address: everyNode}
	for _, d := range ds.order {
		if d.kind == kindNode {
			g.nodes.refs = append(g.nodes.refs, reference{to: d.address})
		}
	}
	for _, d := range ds.order {
		g.visit(d, reference{to: d.address, rng: d.rng})
	}
	return g.order
}

func (g *graph) visit(d *declaration, by reference) {
	switch g.state[d.address] {
	case done:
		return
	case open:
		g.reportCycle(by)
		return
	}
	g.state[d.address] = open
	g.path = append(g.path, by)
	for _, ref := range g.dependencies(d) {
		g.visit(g.find(ref.to), ref)
	}
	g.path = g.path[:len(g.path)-1]
	g.state[d.address] = done
	if d != g.nodes {
		g.order = append(g.order, d)
	}
}

func (g *graph) find(a address) *declaration {
	if a == everyNode {
		return g.nodes
	}
	return g.decls.byAddress[a]
}

// dependencies are the references of d and those that every block of its kind has.
func (g *graph) dependencies(d *declaration) []reference {
	switch d.kind {
	case kindNode:
		if _, ok := g.decls.byAddress[address{kind: kindSSH}]; ok {
			return append(slices.Clip(d.refs), reference{to: address{kind: kindSSH}})
		}
	case kindLink, kindNetwork, kindModel:
		return append(slices.Clip(d.refs), reference{to: everyNode})
	}
	return d.refs
}

// reportCycle tells of the cycle that a reference to an open declaration closes.
func (g *graph) reportCycle(closing reference) {
	start := slices.IndexFunc(g.path, func(r reference) bool { return r.to == closing.to })
	cycle := slices.Clone(g.path[start:])
	cycle[0] = closing // how the cycle, not the search, comes to its first member
	for _, ref := range cycle {
		g.find(ref.to).cyclic = true
	}
	cycle = rotate(cycle)
	names := []string{}
	for _, ref := range cycle {
		names = append(names, ref.to.String())
	}
	names = append(names, names[0])
	text := strings.Join(names, " -> ")
	if g.told[text] {
		return
	}
	g.told[text] = true
	g.fault(cycleRange(cycle), "Cycle", "%s refer to each other, so none has a value%s. Break the cycle: give one of them a value of its own.", text, places(cycle))
}

// rotate makes a cycle begin with the member of the smallest address.
func rotate(cycle []reference) []reference {
	first := 0
	for i, ref := range cycle {
		if ref.to.String() < cycle[first].to.String() {
			first = i
		}
	}
	return append(slices.Clone(cycle[first:]), cycle[:first]...)
}

// cycleRange is the first written reference of a cycle.
func cycleRange(cycle []reference) *hcl.Range {
	for i := range cycle {
		if at := cycle[(i+1)%len(cycle)].rng; at.Filename != "" {
			return &at
		}
	}
	return nil
}

// places lists where each member refers to the next.
func places(cycle []reference) string {
	var parts []string
	for i, ref := range cycle {
		next := cycle[(i+1)%len(cycle)]
		switch {
		case next.rng.Filename != "":
			parts = append(parts, fmt.Sprintf("%s refers to %s at %s", ref.to, next.to, next.rng))
		case next.to.kind == kindSSH:
			parts = append(parts, fmt.Sprintf("%s takes its defaults from ssh", ref.to))
		case next.to == everyNode:
			parts = append(parts, fmt.Sprintf("%s comes after every node", ref.to))
		}
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
