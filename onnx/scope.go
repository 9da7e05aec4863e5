package onnx

import "github.com/edgeplan/edgeplan/internal/onnxpb"

// captures are the names that the graphs inside a node take from outside, each
// once, in the order they are read.
func captures(n *onnxpb.NodeProto) []string {
	var names []string
	seen := map[string]bool{}
	for _, body := range bodies(n) {
		captured(body, scope{}, func(name string) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		})
	}
	return names
}

// scope is the names that graphs from the outermost body inwards define.
type scope []map[string]bool

func (s scope) has(name string) bool {
	for _, names := range s {
		if names[name] {
			return true
		}
	}
	return false
}

// captured calls f with every name that a body reads and does not define.
func captured(g *onnxpb.GraphProto, outer scope, f func(string)) {
	own := defined(g)
	inner := append(outer[:len(outer):len(outer)], own)
	for _, n := range g.Node {
		for _, name := range n.Input {
			if name != "" && !inner.has(name) {
				f(name)
			}
		}
		for _, body := range bodies(n) {
			captured(body, inner, f)
		}
	}
	for _, out := range g.Output {
		if name := out.GetName(); name != "" && !inner.has(name) {
			f(name)
		}
	}
}

// defined are the names that a graph itself defines.
func defined(g *onnxpb.GraphProto) map[string]bool {
	names := map[string]bool{}
	for _, in := range g.Input {
		names[in.GetName()] = true
	}
	for _, t := range g.Initializer {
		names[t.GetName()] = true
	}
	for _, t := range g.SparseInitializer {
		names[t.GetValues().GetName()] = true
	}
	for _, n := range g.Node {
		for _, out := range n.Output {
			names[out] = true
		}
	}
	return names
}
