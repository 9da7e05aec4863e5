package solver

import "slices"

// Is there a placement with no node and no link busier than a threshold?
//
// The bottleneck is one of finitely many values, so a search for the best one
// is a search over thresholds; that turns costs into bits. For a threshold,
// reach.at[used][c] is the set of positions where a stage on class c can end
// when exactly the nodes in used are taken, c among them. Sets of positions are
// bit sets, so one step handles 64 of them. The scheme is the subset dynamic
// programme of Held and Karp (J. SIAM 10, 1962) over a chain, as in PipeEdge
// (Hu et al., DSD 2022), which keeps one value for each (subset, last, position)
// instead; here used counts the members taken of each class.
//
// Shared networks are left out: labels.go takes them in.

// reach is the forward dynamic programme.
type reach struct {
	t *table
	u uses
	grid
}

// solve looks for a path within the threshold. done is false when the budget
// ran out; then nothing is proven.
func (r *reach) solve(b *budget) (way path, done bool) {
	m := r.t.m
	clear(r.bits)
	from := make(bitset, r.width)
	for code := range r.u.states {
		if r.u.total(code) >= m.stages {
			continue
		}
		for d := range m.classes {
			if r.u.count(code, d) == r.u.size[d] || !r.starts(code, d, from) {
				continue
			}
			next := code + r.u.stride[d]
			to, work := r.at(next, d), 0
			for i := from.next(0); i >= 0; i = from.next(i + 1) {
				to.or(r.t.ends[d][i])
				work++
			}
			if to.has(m.end) {
				return r.trace(next, d), true
			}
			if !b.spend(1 + work) {
				return nil, false
			}
		}
	}
	return nil, true
}

// starts gives the positions where class d may start when code is taken.
func (r *reach) starts(code, d int, from bitset) bool {
	clear(from)
	if code == 0 {
		from.set(0)
		return true
	}
	for c := range r.t.m.classes {
		if r.u.count(code, c) > 0 {
			from.orAnd(r.at(code, c), r.t.crossing(c, d))
		}
	}
	return !from.empty()
}

// trace follows the sets back from the end, always to the first choice.
func (r *reach) trace(code, c int) path {
	var way path
	for end := r.t.m.end; ; {
		way = append(way, step{c, end})
		code -= r.u.stride[c]
		if code == 0 {
			slices.Reverse(way)
			return way
		}
		c, end = r.before(code, c, end)
	}
}

func (r *reach) before(code, d, end int) (c, i int) {
	for c := range r.t.m.classes {
		if r.u.count(code, c) == 0 {
			continue
		}
		at, cross := r.at(code, c), r.t.crossing(c, d)
		for i := at.next(1); i >= 0; i = at.next(i + 1) {
			if cross.has(i) && r.t.ends[d][i].has(end) {
				return c, i
			}
		}
	}
	panic("solver: a reached position has no predecessor") // a fault of this file
}
