package solver

import (
	"math/rand/v2"
	"slices"
)

// Large neighbourhood search (Shaw, CP 1998): of the best placement most stages are
// already within a threshold that is a little lower. These stay on their nodes, and
// the stages that are not, their neighbours and some others are placed anew, all at
// once, by prices and the guided search.

const mendWidth = 256

// mend looks for a placement within a threshold near the best one and says whether
// it found one. Which stages it frees is drawn, always in the same way.
func (r *run) mend(at int64, trials int) bool {
	draw := rand.New(rand.NewPCG(uint64(at), uint64(trials)))
	for trial := range trials {
		free := r.over(at, 1+trial%3)
		for range 2 + trial%7 {
			free[draw.IntN(len(free))] = true
		}
		if r.replace(at, free) {
			return true
		}
		if r.b.over {
			return false
		}
	}
	return false
}

// over marks the stages of the best placement that are over a threshold, or have a
// transfer that is, with some neighbours.
func (r *run) over(at int64, near int) []bool {
	m, i := r.m, 0
	free := make([]bool, len(r.way))
	mark := func(k int) {
		for j := max(0, k-near); j <= min(len(free)-1, k+near); j++ {
			free[j] = true
		}
	}
	for k, s := range r.way {
		if m.peakPS(&m.classes[s.class], i, s.end) > at {
			mark(k)
		}
		if k > 0 && m.links[r.way[k-1].class][s.class].ps(m.bytes[i]) > at {
			mark(k - 1)
			mark(k)
		}
		i = s.end
	}
	return free
}

// replace places the free stages anew. The others keep their segments, by pins, and
// may take in some of their neighbours'.
func (r *run) replace(at int64, free []bool) bool {
	p := *r.p
	p.Pinned = slices.Clone(p.Pinned)
	for k, s := range r.m.placed(r.way) {
		for b := s.FirstSegment; b <= s.LastSegment && !free[k]; b++ {
			p.Pinned = append(p.Pinned, Pin{b, s.Node})
		}
	}
	m := newModel(&p)
	t := newTable(m, at)
	prices := newPricing(m, r.b)
	got := prices.at(t, true)
	way := got.found
	if way == nil && !got.proven && !r.b.over {
		way, _ = searchWithin(prices, got, t, mendWidth, r.b)
	}
	if way == nil {
		return false
	}
	r.offer(r.m.pathOf(m.placed(way)))
	return r.best.peak <= at
}
