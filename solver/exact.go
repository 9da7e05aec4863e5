package solver

import "slices"

// Exact: the proven optimum of cuts and nodes together.
//
// Where no times add up, narrow.go has mostly proven the bottleneck already. What gap
// it left is bisected here, and each threshold decided exactly: by the bit sets of
// threshold.go, and where these find a placement whose shared networks are too busy, by
// the labels of labels.go, which minimise the busiest network. Then the ties are
// decided among all placements with the optimal bottleneck.

// maxCells bounds the bit sets of the exact search to half a gibibyte, easyWork
// what Auto takes on: word operations for one threshold.
const (
	maxCells = 1 << 26
	easyWork = 1 << 27
)

// cells is the size of a grid in words, 0 when it is too large.
func (m *model) cells(u uses) int {
	if n := u.states * len(m.classes) * words(m.end+1); n <= maxCells {
		return n
	}
	return 0
}

// easy says whether Auto takes the exact search on.
func (m *model) easy(u uses) bool {
	return m.cells(u) > 0 && m.cells(u) <= easyWork/(len(m.classes)+m.end)
}

// exact closes the gap between the bound and the best placement. Where it has
// to stop, r.reason says why.
func (r *run) exact(u uses) {
	m := r.m
	values := m.values(r.low, r.best.peak)
	for r.low < r.best.peak {
		at, some := middle(values, r.low, r.best.peak)
		if !some && m.nets == 0 && !m.serial {
			r.low = r.best.peak
			break
		}
		low, high := r.low, r.best.peak
		if !r.decide(u, at) {
			return
		}
		if r.low <= low && r.best.peak >= high {
			// Each round must move one side; one that does not would be repeated for ever.
			r.reason = "stopped: the exact search gained nothing in a round; this is a fault of the solver"
			return
		}
	}
	r.settle(u)
}

// prove finds any placement, or proves that there is none.
func (r *run) prove(u uses) {
	f := reach{newTable(r.m, never), u, newGrid(u.states, len(r.m.classes), r.m.end+1)}
	way, done := f.solve(r.b)
	switch {
	case !done:
		r.reason = r.b.reason()
	case way == nil:
		r.infeasible = true
	default:
		r.offer(r.m.improve(way, r.b))
	}
}

// values are the times of all stages and transfers from low up to below high.
func (m *model) values(low, high int64) []int64 {
	var out []int64
	keep := func(ps int64) {
		if ps >= low && ps < high {
			out = append(out, ps)
		}
	}
	for c := range m.classes {
		k := &m.classes[c]
		for i := range m.end {
			for j := i + 1; j <= m.end && !k.tooLong(i, j, high-1); j++ {
				keep(m.stagePS(k, i, j))
			}
		}
		for d := range m.classes {
			for k := 0; m.links[c][d].up && k < len(m.sizes); k++ {
				keep(m.links[c][d].ps(m.sizes[k]))
			}
		}
		keep(k.enter.ps(m.bytes[0]))
		keep(k.leave.ps(m.bytes[m.end]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// middle is the median of the values from low up to below high. Without one it
// is high-1, which only times that add up can still tell apart.
func middle(values []int64, low, high int64) (at int64, some bool) {
	a, _ := slices.BinarySearch(values, low)
	z, _ := slices.BinarySearch(values, high)
	if a == z {
		return high - 1, false
	}
	return values[a+(z-a)/2], true
}

// decide halves the gap at a threshold; false means that the search stopped.
func (r *run) decide(u uses, at int64) bool {
	t := newTable(r.m, at)
	f := reach{t, u, newGrid(u.states, len(r.m.classes), r.m.end+1)}
	way, done := f.solve(r.b)
	switch {
	case !done:
		r.reason = r.b.reason()
		return false
	case way == nil:
		r.low = min(r.best.peak, t.above)
		return true
	}
	r.offer(r.m.improve(way, r.b))
	if r.best.peak <= at {
		return true
	}
	return r.unload(u, t)
}

// unload looks for a placement within the table's threshold that keeps the
// shared networks within it too.
func (r *run) unload(u uses, t *table) bool {
	k, done := newCompletion(t, u, r.b)
	if !done {
		r.reason = r.b.reason()
		return false
	}
	s := newLabels(k, false, tuple{t.limit}, t.limit)
	way, done := s.best(r.b)
	switch {
	case !done:
		r.reason = s.reason(r.b)
		return false
	case way == nil:
		// The next threshold that lets anything more through.
		r.low = min(r.best.peak, t.above, s.above)
	default:
		r.offer(way)
		r.offer(r.m.improve(way, r.b))
	}
	return true
}

// settle decides the ties, once the bottleneck is proven.
func (r *run) settle(u uses) {
	if r.keepsStart() {
		return
	}
	k, done := newCompletion(newTable(r.m, r.low), u, r.b)
	if !done {
		r.reason = "the bottleneck is proven; its ties are not settled: " + r.b.reason()
		return
	}
	s := newLabels(k, true, tuple{r.best.moved, r.best.wait, int64(r.best.stages)}, r.low)
	way, done := s.best(r.b)
	if !done {
		r.reason = "the bottleneck is proven; its ties are not settled: " + s.reason(r.b)
	}
	if way != nil {
		r.offer(way)
	}
}
