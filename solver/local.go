package solver

import "slices"

// Local search: change one thing in a placement as long as that makes it better.
// The moves: shift a boundary, take another node for a stage, swap two nodes,
// reverse the nodes of some consecutive stages (2-opt), split a stage, merge two.

// localWork bounds the search in stages looked at.
const localWork = 1 << 23

// improve gives a placement that no single move makes better.
func (m *model) improve(way path, b *budget) path {
	best, ok := m.cost(way)
	if !ok {
		return way
	}
	n := &neighbours{m: m, way: slices.Clone(way), best: best, b: b, left: localWork}
	for n.shift() || n.exchange() || n.reverse() || n.merge() || n.split() {
	}
	return n.way
}

type neighbours struct {
	m    *model
	way  path
	best score
	b    *budget
	left int
}

// done says that the search has worked enough.
func (n *neighbours) done() bool { return n.left < 0 || n.b.over }

// try keeps a changed path when it is better.
func (n *neighbours) try(way path) bool {
	n.left -= len(way)
	if !n.b.spend(len(way)) || n.done() {
		return false
	}
	s, ok := n.m.cost(way)
	if ok && s.compare(n.best) < 0 {
		n.way, n.best = slices.Clone(way), s
		return true
	}
	return false
}

func (n *neighbours) shift() (better bool) {
	for k := 0; k+1 < len(n.way) && !n.done(); k++ {
		first := 1
		if k > 0 {
			first = n.way[k-1].end + 1
		}
		for end := first; end < n.way[k+1].end; end++ {
			way := slices.Clone(n.way)
			way[k].end = end
			better = n.try(way) || better
		}
	}
	return better
}

// exchange takes another class for a stage: an unused one, or that of another
// stage, which gets this one's.
func (n *neighbours) exchange() (better bool) {
	for k := 0; k < len(n.way) && !n.done(); k++ {
		for d := range n.m.classes {
			if n.free(d) {
				way := slices.Clone(n.way)
				way[k].class = d
				better = n.try(way) || better
			}
		}
		for l := k + 1; l < len(n.way); l++ {
			way := slices.Clone(n.way)
			way[k].class, way[l].class = way[l].class, way[k].class
			better = n.try(way) || better
		}
	}
	return better
}

func (n *neighbours) free(d int) bool {
	used := 0
	for _, st := range n.way {
		if st.class == d {
			used++
		}
	}
	return used < len(n.m.classes[d].members)
}

func (n *neighbours) reverse() (better bool) {
	for k := 0; k < len(n.way) && !n.done(); k++ {
		for l := k + 2; l < len(n.way); l++ {
			way := slices.Clone(n.way)
			for a, z := k, l; a < z; a, z = a+1, z-1 {
				way[a].class, way[z].class = way[z].class, way[a].class
			}
			better = n.try(way) || better
		}
	}
	return better
}

// merge gives a stage's segments to the next one, or to the one before.
func (n *neighbours) merge() bool {
	for k := 0; k+1 < len(n.way) && !n.done(); k++ {
		next := slices.Delete(slices.Clone(n.way), k, k+1)
		if n.try(next) {
			return true
		}
		next[k].class = n.way[k].class
		if n.try(next) {
			return true
		}
	}
	return false
}

// split gives a part of a stage to an unused class, before or after it.
func (n *neighbours) split() bool {
	if len(n.way) >= n.m.stages || n.done() {
		return false
	}
	first := 0
	for k, st := range n.way {
		for d := 0; d < len(n.m.classes) && !n.done(); d++ {
			for end := first + 1; n.free(d) && end < st.end; end++ {
				way := slices.Insert(slices.Clone(n.way), k, step{d, end})
				if n.try(way) {
					return true
				}
				way[k].class, way[k+1].class = st.class, d
				if n.try(way) {
					return true
				}
			}
		}
		first = st.end
	}
	return false
}
