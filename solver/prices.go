package solver

import (
	"cmp"
	"slices"
)

// A lower bound for clusters that are too large for the exact search. The
// relaxation of relax.go lets a walk use a class any number of times; here every
// use has a price. For a threshold and prices of at least 0, no placement pays more
// than the price of all nodes together, so when the cheapest walk within the
// threshold costs more than that, there is no placement: proven, in integers,
// whatever the prices are. This is the Lagrangian bound for "each node at most
// once". Good prices come from multiplicative weights (Arora, Hazan and Kale,
// Theory of Computing 8, 2012): a class that the cheapest walk uses too often gets
// dearer, one that it leaves out gets cheaper. A cheapest walk that uses no class
// too often is a placement, and ends the search for prices.

const (
	priceRounds = 400
	priceTotal  = int64(1) << 44 // of all prices, which bounds a walk's cost far below never
	priceFine   = 1 << 12        // the bisection ends at this part of the bottleneck
	priceWork   = 1 << 34        // of one solution
)

// pricing looks for prices that prove a threshold impossible.
type pricing struct {
	t      *table
	prices []int64
	start  [][]int64 // [position][class]: least price of the rest, a stage starts there
	ended  [][]int64
	end    [][]int32 // [position][class]: where that stage ends
	next   [][]int32 // [position][class]: the class behind it
	uses   []int
	order  []int
}

func newPricing(t *table, prices []int64) *pricing {
	n := len(t.m.classes)
	p := &pricing{t: t, prices: prices, uses: make([]int, n), order: make([]int, n)}
	for range t.m.end + 1 {
		p.start, p.ended = append(p.start, make([]int64, n)), append(p.ended, make([]int64, n))
		p.end, p.next = append(p.end, make([]int32, n)), append(p.next, make([]int32, n))
	}
	return p
}

// walk finds the cheapest walk within the threshold, and its price. It gives the
// work that this took.
func (p *pricing) walk() (way path, price int64, work int) {
	m := p.t.m
	for i := m.end - 1; i >= 0; i-- {
		work += p.starts(i) + p.ends(i)
	}
	first, price := 0, never
	for d, x := range p.start[0] {
		if x < price {
			first, price = d, x
		}
	}
	if price >= never {
		return nil, never, work
	}
	for d, i := first, 0; ; d = int(p.next[i][d]) {
		i = int(p.end[i][d])
		way = append(way, step{d, i})
		if i == m.end {
			return way, price, work
		}
	}
}

func (p *pricing) starts(i int) (work int) {
	for d := range p.start[i] {
		best, at := never, 0
		ends := p.t.ends[d][i]
		for j := ends.next(i + 1); j >= 0; j = ends.next(j + 1) {
			if x := p.ended[j][d]; x < best {
				best, at = x, j
			}
			work++
		}
		if best < never {
			best += p.prices[d]
		}
		p.start[i][d], p.end[i][d] = best, int32(at)
	}
	return work
}

// ends tries the classes behind a position from the cheapest on, so the first that
// can be reached is the best.
func (p *pricing) ends(i int) (work int) {
	for d := range p.order {
		p.order[d] = d
	}
	start := p.start[i]
	slices.SortFunc(p.order, func(a, b int) int { return cmp.Or(cmp.Compare(start[a], start[b]), cmp.Compare(a, b)) })
	for c := range p.ended[i] {
		p.ended[i][c] = never
		for _, d := range p.order {
			work++
			if start[d] >= never {
				break
			}
			if p.t.crossings[c][d].has(i) {
				p.ended[i][c], p.next[i][c] = start[d], int32(d)
				break
			}
		}
	}
	return work
}

// impossible says whether prices prove that no placement is within the threshold.
// Otherwise it may have found one.
func (p *pricing) impossible(b *budget) (proven bool, found path) {
	m := p.t.m
	var nearest path // the walk that uses the fewest nodes too often
	fewest := m.end + 1
	for round := range priceRounds {
		way, price, work := p.walk()
		if price > p.all() {
			return true, nil
		}
		if !b.spend(work / 64) {
			return false, nil
		}
		clear(p.uses)
		over := max(0, len(way)-m.stages)
		for _, st := range way {
			if p.uses[st.class]++; p.uses[st.class] > len(m.classes[st.class].members) {
				over++
			}
		}
		if over == 0 {
			return false, way
		}
		if over < fewest {
			nearest, fewest = way, over
		}
		p.adjust(int64(8 << (4 * round / priceRounds)))
	}
	return false, m.repair(nearest)
}

// repair makes a placement of a walk: a class that is used too often gives way to
// the free class that costs least there. It gives nil where that fails.
func (m *model) repair(walk path) path {
	if len(walk) > m.stages {
		return nil
	}
	way, left := slices.Clone(walk), make([]int, len(m.classes))
	for c := range left {
		left[c] = len(m.classes[c].members)
	}
	var again []int
	for k, st := range way {
		if left[st.class]--; left[st.class] < 0 {
			again = append(again, k)
		}
	}
	for _, k := range again {
		best, least := -1, score{}
		for d := range m.classes {
			way[k].class = d
			if s, ok := m.cost(way); left[d] > 0 && ok && (best < 0 || s.compare(least) < 0) {
				best, least = d, s
			}
		}
		if best < 0 {
			return nil
		}
		way[k].class = best
		left[best]--
	}
	return way
}

// all is what all nodes cost together.
func (p *pricing) all() (sum int64) {
	for c, x := range p.prices {
		sum += x * int64(len(p.t.m.classes[c].members))
	}
	return sum
}

// adjust raises the prices of what was used too often, lowers those of what was
// used less than it could be, by a share of 1/step for each use, and scales them
// back. No sum is rounded, so every machine has the same prices.
func (p *pricing) adjust(step int64) {
	for c, x := range p.prices {
		over := p.uses[c] - len(p.t.m.classes[c].members)
		p.prices[c] = max(1, x+x/step*int64(min(over, 8)))
	}
	p.scale()
}

func (p *pricing) scale() {
	all := p.all()
	for c, x := range p.prices {
		p.prices[c] = max(1, int64(float64(x)*(float64(priceTotal)/float64(all))))
	}
}

// price raises the lower bound by prices, bisecting the gap to the best placement
// known; a better placement that it comes by is taken.
func (r *run) price() {
	m := r.m
	round := len(m.classes) * m.end * (len(m.classes) + m.end)
	if round > largeBound {
		return
	}
	work := r.b.work
	prices := make([]int64, len(m.classes))
	for c := range prices {
		prices[c] = priceTotal / int64(len(m.classes)) / int64(len(m.classes[c].members))
	}
	high := r.best.peak
	for r.low < high && high-r.low > high/priceFine && r.b.work-work < priceWork/64 && !r.b.over {
		mid := r.low + (high-r.low)/2
		t := newTable(m, mid)
		proven, found := newPricing(t, prices).impossible(r.b)
		if proven {
			r.low = min(t.above, r.best.peak)
			continue
		}
		high = mid
		if found != nil {
			r.offer(m.improve(found, r.b))
			high = min(high, r.best.peak)
		}
	}
}
