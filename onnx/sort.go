package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// sort finds an order in which makers precede readers, or names a cycle.
func (g *graph) sort() error {
	const (
		fresh = iota
		open
		done
	)
	state := make([]int, len(g.nodes))
	type frame struct{ node, next int }
	for root := range g.nodes {
		if state[root] != fresh {
			continue
		}
		state[root] = open
		stack := []frame{{node: root}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			reads := g.nodes[top.node].reads
			if top.next == len(reads) {
				state[top.node] = done
				g.sorted = append(g.sorted, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			v := g.values[reads[top.next]]
			top.next++
			if v.origin != fromNode || state[v.producer] == done {
				continue
			}
			if state[v.producer] == open {
				var path []int
				for _, f := range stack {
					path = append(path, f.node)
				}
				return g.cycle(path, v.producer)
			}
			state[v.producer] = open
			stack = append(stack, frame{node: v.producer})
		}
	}
	return nil
}

// cycle describes the way from a node back to itself.
func (g *graph) cycle(path []int, from int) error {
	var names []string
	for i := len(path) - 1; i >= 0; i-- {
		names = append(names, fmt.Sprintf("%q", g.nodes[path[i]].label))
		if path[i] == from {
			break
		}
	}
	if len(names) > 8 {
		names = append(names[:8], "...")
	}
	return fmt.Errorf("the graph has a cycle: %s and back", strings.Join(names, " needed by "))
}

// markDead finds nodes that no output of the graph depends on. The engine leaves
// them out, and so do segments; they are not among the readers of values.
func (g *graph) markDead() {
	for i := len(g.sorted) - 1; i >= 0; i-- {
		n := &g.nodes[g.sorted[i]]
		n.dead = true
		for _, o := range n.outputs {
			if o >= 0 && (g.values[o].output || g.readAlive(o)) {
				n.dead = false
				break
			}
		}
	}
	for i := range g.values {
		v := &g.values[i]
		v.readers = slices.DeleteFunc(v.readers, func(reader int) bool { return g.nodes[reader].dead })
	}
}

func (g *graph) readAlive(i int) bool {
	for _, reader := range g.values[i].readers {
		if !g.nodes[reader].dead {
			return true
		}
	}
	return false
}
