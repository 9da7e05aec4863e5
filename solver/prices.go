package solver

import "slices"

// A lower bound for clusters of any size. The relaxation of relax.go lets a walk
// use a node any number of times; here every use has a price (walks.go). The best
// prices of a threshold are the dual values of a linear programme (packing.go),
// and where these prove nothing they still lead the search of guided.go.

const (
	priceRounds    = 2000    // of column generation, for one threshold
	interiorRounds = 600     // of multiplicative weights; a third, when they go on from a threshold nearby
	largeRounds    = 90      // the same in large problems
	largePrices    = 1 << 16 // classes times positions that make a problem large
	priceFine      = 1 << 11 // the bisection ends at this part of the bottleneck
	priceClose     = 0.9995  // how near to the best prices is good enough
)

// pricing finds prices, for one threshold after the other.
type pricing struct {
	m        *model
	b        *budget
	right    []float64 // how often each class, and in the end a stage, may be used
	known    []walk
	interior []float64
	rounds   int  // of within
	large    bool // column generation would take too long
}

// walk is a column of the programme.
type walk struct {
	way path
	use []float64
}

// priced is what is known of a threshold after pricing.
type priced struct {
	w      *walks    // with the best prices
	prices []float64 // these prices
	proven bool      // no placement is within the threshold
	found  path      // a placement that is, in terms of the table
}

func newPricing(m *model, b *budget) *pricing {
	p := &pricing{m: m, b: b, rounds: interiorRounds, large: len(m.classes)*m.end > largePrices}
	if p.large {
		p.rounds = largeRounds
	}
	for _, c := range m.classes {
		p.right = append(p.right, float64(len(c.members)))
	}
	p.right = append(p.right, float64(m.stages))
	return p
}

// even are prices to begin with.
func (p *pricing) even() []float64 {
	out := make([]float64, len(p.right))
	for c := range p.m.classes {
		out[c] = 1
	}
	return out
}

// at finds the best prices of a threshold by column generation. Unless full, it
// stops as soon as no prices can prove anything. In a large problem the prices are
// those of within.
func (p *pricing) at(t *table, full bool) priced {
	if p.large {
		return p.within(t)
	}
	out := priced{w: newWalks(t)}
	lp := newPacking(p.right)
	for _, k := range p.known {
		if t.allows(k.way) {
			lp.add(k.use)
		}
	}
	ratio := 0.0 // of the cheapest walk to all, at most
	prices := p.even()
	for range priceRounds {
		if work := lp.solve(); !p.b.spend((work + out.w.cost()) / workUnit) {
			break
		}
		if lp.value() > 0 {
			copy(prices, lp.duals)
			for c := range prices {
				prices[c] = max(0, prices[c])
			}
		}
		out.w.charge(prices)
		least := out.w.solve()
		if least >= never {
			out.proven, out.prices = true, prices
			return out
		}
		if r := float64(least) / float64(out.w.all); r > ratio {
			ratio, out.prices = r, slices.Clone(prices)
		}
		way := out.w.best()
		if p.m.places(way) {
			out.found = way
			return out
		}
		if v := lp.value(); v >= 1 && !full || v*ratio > priceClose {
			break
		}
		use := p.usesOf(way)
		lp.add(use)
		p.known = append(p.known, walk{way, use})
	}
	if out.prices == nil {
		out.prices = prices
	}
	return out
}

// allows says whether a walk is within the threshold.
func (t *table) allows(way path) bool {
	i := 0
	for k, s := range way {
		if k > 0 && !t.crosses(way[k-1].class, s.class, i) || !t.ends[s.class][i].has(s.end) {
			return false
		}
		i = s.end
	}
	return true
}

// places says whether a walk uses no class and no stages too often.
func (m *model) places(way path) bool {
	used := make([]int, len(m.classes))
	for _, s := range way {
		if used[s.class]++; used[s.class] > len(m.classes[s.class].members) {
			return false
		}
	}
	return len(way) <= m.stages
}

func (p *pricing) usesOf(way path) []float64 {
	use := make([]float64, len(p.right))
	for _, s := range way {
		use[s.class]++
		use[len(use)-1]++
	}
	return use
}

// within finds prices from the interior of the best ones: the mean of
// multiplicative weights (Arora, Hazan and Kale, Theory of Computing 8, 2012). A
// class that the cheapest walk uses too often gets dearer, one that it leaves out
// gets cheaper. Of the best prices the programme gives an extreme point, with many
// zeros and many equal numbers; these tell more apart.
func (p *pricing) within(t *table) priced {
	out := priced{w: newWalks(t), prices: p.even()}
	rounds, done := p.rounds, 0
	if p.interior != nil {
		copy(out.prices, p.interior)
		rounds, done = (rounds+2)/3, rounds/3
	}
	mean, used := make([]float64, len(p.right)), make([]int, len(p.m.classes))
	for k := range rounds {
		out.w.charge(out.prices)
		if out.proven = out.w.solve() >= never; out.proven || !p.b.spend(out.w.cost()/workUnit) {
			return out
		}
		way := out.w.best()
		if p.m.places(way) {
			out.found = way
			return out
		}
		clear(used)
		for _, s := range way {
			used[s.class]++
		}
		step := 0.3 / (1 + float64(k+done)/20)
		for c, n := range used {
			over := float64(n) / p.right[c]
			out.prices[c] = max(1e-9, out.prices[c]*(1+step*(min(over, 4)-1)))
		}
		all := p.m.allOf(out.prices)
		for c := range used {
			out.prices[c] /= all
			if k >= rounds/2 {
				mean[c] += out.prices[c]
			}
		}
	}
	p.interior, out.prices = mean, mean
	return out
}

// price raises the lower bound by prices, bisecting the gap to the best placement
// known; a better placement that it comes by is taken.
//
// In a large problem narrow does both at once.
func (r *run) price(p *pricing) {
	if p.large {
		return
	}
	high := r.best.peak
	for r.low < high && high-r.low > high/priceFine && !r.b.over {
		mid := r.low + (high-r.low)/2
		t := newTable(r.m, mid)
		got := p.at(t, false)
		if got.proven {
			r.low = min(t.above, r.best.peak)
			continue
		}
		high = mid
		if got.found != nil {
			r.offer(got.found)
			high = min(high, r.best.peak)
		}
	}
}
