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

// trace gives a whole walk, if some steps find one, one that uses no class too often.
func (r *routes) trace(b *budget) path {
	if way := r.follow(true, b); len(way) > 0 {
		return way
	}
	return r.follow(false, b)
}

// follow gives the first whole walk.
func (r *routes) follow(strict bool, b *budget) path {
	last := len(r.legs) - 1
	s := &tracing{r, nil, make([]int, len(r.m.classes)), 0}
	for k := range r.legs[last] {
		if l := &r.legs[last][k]; l.at.has(r.m.end) && s.back(l, r.m.end, last, strict) {
			break
		}
	}
	b.spend(1 + s.steps/workUnit)
	slices.Reverse(s.way)
	return s.way
}

// back completes the walk whose stage on a leg ends at a position.
func (s *tracing) back(l *leg, end, depth int, strict bool) bool {
	d := l.class
	if strict && (s.used[d] == len(s.m.classes[d].members) || s.steps > traceSteps) {
		return false
	}
	s.way = append(s.way, step{d, end})
	s.used[d]++
	if depth == 1 || s.before(l, end, depth, strict) {
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
		if s.own[d].within(o.used) || s.after(o.used, d) != l.used {
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
