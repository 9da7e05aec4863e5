package solver

import "slices"

// traceSteps bounds the search for a walk that uses no node too often.
const traceSteps = 1 << 12

// tracing follows the legs of a whole walk back.
type tracing struct {
	*routes
	way   path  // from the end
	used  []int // of each class
	steps int
}

// trace gives a whole walk, the last stage first found. Among those that lead there it
// looks for one that uses no class too often, for some steps; else it is the first.
func (r *routes) trace(b *budget) path {
	last := len(r.legs) - 1
	for _, strict := range []bool{true, false} {
		s := &tracing{r, nil, make([]int, len(r.m.classes)), 0}
		for k := range r.legs[last] {
			l := &r.legs[last][k]
			if l.at.has(r.m.end) && s.back(l, r.m.end, last, strict) {
				b.spend(1 + s.steps/workUnit)
				slices.Reverse(s.way)
				return s.way
			}
		}
		b.spend(1 + s.steps/workUnit)
	}
	panic("solver: a whole walk has no beginning") // a fault of this file
}

// back completes the walk whose stage on a leg ends at a position.
func (s *tracing) back(l *leg, end, depth int, strict bool) bool {
	d := l.class
	if strict && (s.used[d] == len(s.m.classes[d].members) || s.steps > traceSteps) {
		return false
	}
	s.way = append(s.way, step{d, end})
	s.used[d]++
	if depth == 0 || s.before(l, end, depth, strict) {
		return true
	}
	s.way = s.way[:len(s.way)-1]
	s.used[d]--
	return false
}

// before tries the legs that lead to one.
func (s *tracing) before(l *leg, end, depth int, strict bool) bool {
	d := l.class
	for k := range s.legs[depth-1] {
		o := &s.legs[depth-1][k]
		s.steps++
		if s.own[d].within(o.used) {
			continue
		}
		used := o.used.and(s.near[d])
		if used.set(s.bit(o.used, d)); used != l.used {
			continue
		}
		for i := o.at.next(0); i >= 0; i = o.at.next(i + 1) {
			if s.t.crosses(o.class, d, i) && s.t.ends[d][i].has(end) && s.back(o, i, depth-1, strict) {
				return true
			}
		}
	}
	return false
}
