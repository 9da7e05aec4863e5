package onnx

import "slices"

// CandidatePoints are the cuts that Parthasarathy and Krishnamachari (arXiv
// 2210.12219) choose from, in increasing order: those after a vertex v that is alone
// on its level and that no edge (a, b) passes, level(a) < level(v) < level(b), where
// the level is the length of the longest path from an input. Vertices are the inputs
// and the nodes of the graph. Of these, cuts that carry one tensor are given: the
// others carry outputs made earlier too, which the paper's models do not have.
func (c *Chain) CandidatePoints() []int {
	l := newLevels(c.model)
	points := []int{}
	for level, v := range l.alone {
		if v >= 0 && !l.passed[level] && len(c.Cuts[v].Tensors) == 1 {
			points = append(points, v)
		}
	}
	slices.Sort(points)
	return points
}

// levels are the vertices of a graph by level. A vertex is known by the cut after it:
// 0 for the inputs, s+1 for segment s.
type levels struct {
	alone  []int  // by level: the vertex, or -1 where there are several
	passed []bool // by level: an edge goes from below it to above it
}

func newLevels(m *model) *levels {
	level := make([]int, len(m.graph.values)) // of the vertex that makes the value
	of := make([]int, len(m.order))
	highest := 0
	for s, at := range m.order {
		for _, i := range m.graph.nodes[at].reads {
			if !m.graph.values[i].constant() {
				of[s] = max(of[s], level[i]+1)
			}
		}
		for _, o := range m.graph.nodes[at].outputs {
			if o >= 0 {
				level[o] = of[s]
			}
		}
		highest = max(highest, of[s])
	}
	l := &levels{alone: make([]int, highest+1), passed: make([]bool, highest+1)}
	l.count(len(m.graph.inputs), of)
	for s, at := range m.order {
		for _, i := range m.graph.nodes[at].reads {
			if !m.graph.values[i].constant() {
				for between := level[i] + 1; between < of[s]; between++ {
					l.passed[between] = true
				}
			}
		}
	}
	return l
}

// count finds the vertex of every level that has one.
func (l *levels) count(inputs int, of []int) {
	vertices := make([]int, len(l.alone))
	vertices[0] = inputs
	for s, level := range of {
		vertices[level]++
		l.alone[level] = s + 1
	}
	for level, n := range vertices {
		if n != 1 {
			l.alone[level] = -1
		}
	}
}
