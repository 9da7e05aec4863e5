package solver

// Narrowing the gap between the proven bound and the best placement known, from
// both sides: thresholds between them are decided by prices or by the guided search,
// which is given more width whenever it could decide too little.

const (
	firstWidth = 64
	wideGap    = 8 // above this part of the bottleneck a gap is halved, below it its values are
	// narrowWork bounds the search where no time limit does.
	narrowWork = 1 << 28
)

// verdict is what is known of a threshold.
type verdict int

const (
	open    verdict = iota // nothing
	placed                 // a placement is within it
	refuted                // proven: none is
)

// narrow goes on until the gap is closed or the work is done.
func (r *run) narrow(p *pricing) {
	values := r.m.values(r.low, r.best.peak)
	end := r.b.work + narrowWork
	for width := firstWidth; r.low < r.best.peak; width *= 4 {
		if !r.sweep(p, values, width, end) || width*r.m.stages > 4*maxSpots {
			return
		}
	}
}

// sweep bisects the gap with one width. What stays open is taken as impossible until
// the next sweep. False means that the work is done.
func (r *run) sweep(p *pricing, values []int64, width int, end int64) bool {
	for floor := r.low; floor < r.best.peak; {
		if floor > r.low && 8*(r.best.peak-floor) < r.best.peak-r.low {
			return true
		}
		at, some := middle(values, floor, r.best.peak)
		if wide := r.best.peak - floor; wide > r.best.peak/wideGap {
			at, some = floor+wide/2, true // most values may lie at one end
		}
		if !some {
			if floor == r.low && !r.m.sums() {
				r.low = r.best.peak
			}
			return true
		}
		switch r.probe(p, at, width) {
		case refuted:
			floor = r.low
		case open:
			floor = at + 1
		}
		if r.b.over || r.b.work > end {
			return false
		}
	}
	return true
}

// find looks for any placement where the walks found none, by prices at no
// threshold at all, or proves that there is none.
func (r *run) find() {
	p, t := newPricing(r.m, r.b), newTable(r.m, never)
	got := p.at(t, true)
	for width := firstWidth; got.found == nil && !got.proven && !r.b.over && r.b.work < narrowWork && width < maxSpots/r.m.stages; width *= 4 {
		got.found, got.proven = searchWithin(p, got, t, width, r.b)
	}
	if got.found != nil {
		r.offer(r.m.improve(got.found, r.b))
	}
	r.infeasible = got.proven
}

// sums says whether times add up over several stages or transfers, so that the
// bottleneck may be none of values.
func (m *model) sums() bool { return m.nets > 0 || m.serial }

// probe looks at one threshold.
func (r *run) probe(p *pricing, at int64, width int) verdict {
	t := newTable(r.m, at)
	got := p.at(t, true)
	way, proven := got.found, got.proven
	if way == nil && !proven && !r.b.over {
		way, proven = searchWithin(p, got, t, width, r.b)
	}
	if proven {
		r.low = min(t.above, r.best.peak)
		return refuted
	}
	if way != nil {
		r.offer(way)
		r.offer(r.m.improve(way, r.b))
	}
	if r.best.peak <= at || !p.large && r.mend(at, mendTrials(width)) {
		return placed
	}
	return open
}

func mendTrials(width int) int { return min(width/8, 64) }

// searchWithin runs the guided search with the prices of a threshold.
func searchWithin(p *pricing, got priced, t *table, width int, b *budget) (way path, proven bool) {
	got.w.charge(got.prices)
	if got.w.solve() >= never {
		return nil, true
	}
	lead := got.w
	if !p.large {
		inner := p.within(t)
		if inner.proven || inner.found != nil || b.over {
			return inner.found, inner.proven
		}
		lead = inner.w
		lead.charge(mixed(got.prices, inner.prices))
		if lead.solve() >= never {
			return nil, true
		}
	}
	return newGuided(got.w, lead, width).solve(b)
}

// mixed are mostly the best prices; those from the interior decide between equals.
func mixed(best, interior []float64) []float64 {
	sum := func(x []float64) (all float64) {
		for _, y := range x {
			all += y
		}
		return all
	}
	a, b := sum(best), sum(interior)
	out := make([]float64, len(best))
	for c := range out {
		out[c] = 0.9*best[c]/a + 0.1*interior[c]/b
	}
	return out
}
