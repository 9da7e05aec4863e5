package solver

import (
	"cmp"
	"slices"
)

// step is one stage of a path: a class and the position where the stage ends.
// It starts where the step before it ends.
type step struct{ class, end int }

// path is a placement in the terms of a model.
type path []step

// score is what placements are compared by, in the order of its fields. Node
// order comes last, by compare.
type score struct {
	peak   int64 // bottleneck, ps
	moved  int64 // bytes that the nodes lack
	wait   int64 // end-to-end latency, ps
	stages int
}

// cost walks a path; ok is false when it breaks a rule.
func (m *model) cost(way path) (s score, ok bool) {
	sums := make([]int64, m.nets)
	var busy int64 // of the stage in hand, without overlap
	carry := func(l *link, n int64) {
		ps := l.ps(n)
		s.wait += ps
		if !l.free {
			s.wait += l.wait
		}
		s.peak = max(s.peak, ps, l.add(sums, n))
		if m.serial {
			s.peak, busy = max(s.peak, busy+ps), ps
		}
	}
	if len(way) == 0 || len(way) > m.stages || way[len(way)-1].end != m.end {
		return s, false
	}
	i := 0
	for k, st := range way {
		c := &m.classes[st.class]
		if st.end <= i || !m.allowed(c, i, st.end) {
			return s, false
		}
		l := &c.enter
		if k > 0 {
			l = &m.links[way[k-1].class][st.class]
		}
		if !l.up {
			return s, false
		}
		carry(l, m.bytes[i])
		ps := m.stagePS(c, i, st.end)
		if busy += ps; c.sum >= 0 {
			sums[c.sum] += ps
			s.peak = max(s.peak, sums[c.sum])
		}
		s.peak = max(s.peak, ps)
		s.wait += ps
		s.moved += c.lacks[st.end] - c.lacks[i]
		i = st.end
	}
	carry(&m.classes[way[len(way)-1].class].leave, m.bytes[m.end])
	s.stages = len(way)
	return s, true
}

func (s score) compare(o score) int {
	return cmp.Or(cmp.Compare(s.peak, o.peak), cmp.Compare(s.moved, o.moved), cmp.Compare(s.wait, o.wait), cmp.Compare(s.stages, o.stages))
}

// placed turns a path into stages on nodes. Of a class the members are used in
// ascending order, which is the least order of nodes.
func (m *model) placed(way path) []Placed {
	used := make([]int, len(m.classes))
	out := make([]Placed, 0, len(way))
	i := 0
	for _, st := range way {
		node := m.classes[st.class].members[used[st.class]]
		used[st.class]++
		out = append(out, Placed{Node: node, FirstSegment: m.cuts[i], LastSegment: m.cuts[st.end] - 1})
		i = st.end
	}
	return out
}

// comparePlaced is the order of last resort: by nodes, then by cuts.
func comparePlaced(a, b []Placed) int {
	byNode := slices.CompareFunc(a, b, func(x, y Placed) int { return cmp.Compare(x.Node, y.Node) })
	return cmp.Or(byNode, slices.CompareFunc(a, b, func(x, y Placed) int { return cmp.Compare(x.LastSegment, y.LastSegment) }))
}

// pathOf is the inverse of placed for stages that Evaluate accepts.
func (m *model) pathOf(stages []Placed) path {
	var out path
	for _, s := range stages {
		end := slices.Index(m.cuts, s.LastSegment+1)
		c := slices.IndexFunc(m.classes, func(c class) bool { return slices.Contains(c.members, s.Node) })
		out = append(out, step{c, end})
	}
	return out
}
