package onnx

import (
	"slices"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// markConstants finds nodes that depend on no graph input. They are no segments:
// they go into every slice that reads them, and what they make counts as weights.
func (g *graph) markConstants() {
	for _, at := range g.sorted {
		n := &g.nodes[at]
		if n.dead || !g.foldable(n) {
			continue
		}
		for _, o := range n.outputs {
			if o >= 0 {
				g.values[o].origin = fromConstant
			}
		}
	}
	if len(g.segments()) == 0 { // all of it is constant: something has to run
		for i := range g.values {
			if g.values[i].origin == fromConstant {
				g.values[i].origin = fromNode
			}
		}
	}
}

// foldable says whether a node gives the same on every run.
func (g *graph) foldable(n *node) bool {
	if !standardDomain(n.GetDomain()) || random(n.NodeProto) {
		return false
	}
	for _, i := range n.reads {
		if !g.values[i].constant() {
			return false
		}
	}
	return true
}

// random says whether a node, or one inside its bodies, draws numbers, or is of a
// domain that nothing is known of.
func random(n *onnxpb.NodeProto) bool {
	switch n.GetOpType() {
	case "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli":
		return true
	}
	for _, body := range bodies(n) {
		if slices.ContainsFunc(body.Node, func(n *onnxpb.NodeProto) bool {
			return !standardDomain(n.GetDomain()) || random(n)
		}) {
			return true
		}
	}
	return false
}

// isConstantNode says whether a node is copied into slices instead of being a segment.
func (g *graph) isConstantNode(at int) bool {
	for _, o := range g.nodes[at].outputs {
		if o >= 0 && g.values[o].origin == fromConstant {
			return true
		}
	}
	return false
}

// segments are the nodes to run, in sorted order.
func (g *graph) segments() []int {
	var list []int
	for _, at := range g.sorted {
		if !g.nodes[at].dead && !g.isConstantNode(at) {
			list = append(list, at)
		}
	}
	return list
}
