package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// kindEveryNode stands between what may name any node of a module and the nodes.
const kindEveryNode = "every node"

// graph orders the declarations of all modules so that each comes after what it
// refers to. It is a depth-first search in the order of declaration, which makes
// the result the same for the same files.
type graph struct {
	*report
	nodes map[*module]*declaration // kindEveryNode

	state map[*declaration]visit
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
func (l *loader) order(root *module) []*declaration {
	l.resolve(root)
	g := &graph{report: l.report, nodes: map[*module]*declaration{}, state: map[*declaration]visit{}, told: map[string]bool{}}
	g.addNodes(root)
	g.visitModule(root)
	return g.order
}

// addNodes gathers the nodes of a module, and of the modules in it.
func (g *graph) addNodes(m *module) *declaration {
	every := &declaration{address: address{kind: kindEveryNode}, in: m}
	for _, d := range m.order {
		if d.kind == kindNode {
			every.refs = append(every.refs, reference{to: d})
		}
	}
	for _, child := range m.inOrder() {
		if inner := g.addNodes(child); len(inner.refs) > 0 {
			every.refs = append(every.refs, reference{to: inner})
		}
	}
	g.nodes[m] = every
	return every
}

func (g *graph) visitModule(m *module) {
	for _, d := range m.order {
		g.visit(d, reference{to: d, rng: d.rng})
	}
	for _, child := range m.inOrder() {
		g.visitModule(child)
	}
}

func (g *graph) visit(d *declaration, by reference) {
	switch g.state[d] {
	case done:
		return
	case open:
		g.reportCycle(by)
		return
	}
	g.state[d] = open
	g.path = append(g.path, by)
	for _, ref := range g.dependencies(d) {
		g.visit(ref.to, ref)
	}
	g.path = g.path[:len(g.path)-1]
	g.state[d] = done
	if d.kind != kindEveryNode {
		g.order = append(g.order, d)
	}
}

// dependencies are the references of d and those that every block of its kind
// has: there is nothing in a module before its block has been evaluated.
func (g *graph) dependencies(d *declaration) []reference {
	refs := slices.Clip(d.refs)
	switch d.kind {
	case kindNode, kindSSH:
		if ssh := defaultsFor(d); ssh != nil {
			refs = append(refs, reference{to: ssh})
		}
	case kindLink, kindNetwork, kindModel, kindProfileOf:
		refs = append(refs, reference{to: g.nodes[d.in]})
	}
	if d.in.call != nil && d.kind != kindEveryNode {
		refs = append(refs, reference{to: d.in.call})
	}
	return refs
}

// defaultsFor is the ssh block that d begins from: that of its module, or of the
// next module around it that has one; nil when there is none.
func defaultsFor(d *declaration) *declaration {
	m := d.in
	if d.kind == kindSSH {
		m = m.parent
	}
	for ; m != nil; m = m.parent {
		if ssh := m.byAddress[address{kind: kindSSH}]; ssh != nil {
			return ssh
		}
	}
	return nil
}

// reportCycle tells of the cycle that a reference to an open declaration closes.
func (g *graph) reportCycle(closing reference) {
	start := slices.IndexFunc(g.path, func(r reference) bool { return r.to == closing.to })
	cycle := slices.Clone(g.path[start:])
	cycle[0] = closing // how the cycle, not the search, comes to its first member
	for _, ref := range cycle {
		ref.to.cyclic = true
	}
	cycle = rotate(cycle)
	names := []string{}
	for _, ref := range cycle {
		names = append(names, ref.to.String())
	}
	names = append(names, names[0])
	text, at := strings.Join(names, " -> "), cycleRange(cycle)
	if g.told[text] || at != nil && throughModule(cycle) && g.told[at.String()] {
		return
	}
	g.told[text] = true
	if at != nil {
		g.told[at.String()] = true
	}
	if len(cycle) == 1 {
		g.fault(at, "Cycle", "%s refers to itself, so it has no value. Break the cycle: give it a value of its own.%s", cycle[0].to, selfHint(cycle[0].to))
		return
	}
	g.fault(at, "Cycle", "%s refer to each other, so none has a value%s. Break the cycle: give one of them a value of its own.", text, places(cycle))
}

// throughModule says whether a cycle goes on because something is in a module: by
// each of what the module holds it comes to the same reference again.
func throughModule(cycle []reference) bool {
	return slices.ContainsFunc(cycle, func(ref reference) bool { return ref.rng.Filename == "" && ref.to.kind == kindModule })
}

// selfHint says how to write a condition on what a model comes to.
func selfHint(d *declaration) string {
	if d.kind != kindModel {
		return ""
	}
	return " What the model must come to stands in its require block, or in a precondition of an output."
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
		case next.to == ref.to.in.call:
			parts = append(parts, fmt.Sprintf("%s is in %s", ref.to, next.to))
		case next.to.kind == kindEveryNode:
			parts = append(parts, fmt.Sprintf("%s comes after every node", ref.to))
		}
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
