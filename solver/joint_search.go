package solver

import "slices"

const (
	jointOrders    = 6       // in which chains are placed one after another
	jointPriceWork = 1 << 25 // of the bound before the best placements are found, as budget counts; four times that afterwards
	jointQuickWork = 1 << 22 // of the exact search that small clusters begin with, in stages and transfers looked at
	jointExactWork = 1 << 26 // of the last one, unless algorithm exact is asked for
	annealRounds   = 16
	annealMoves    = 1 << 18 // of each round, fewer for small problems
)

// annealHeats are the parts of the target that the thresholds begin with.
var annealHeats = []int64{512, 64, 64, 256}

// sequences places the chains one after another, in up to some orders until that has
// come out twice.
func (r *jointRun) sequences() {
	placed := 0
	for _, order := range orders(r.order, jointOrders) {
		if r.b.over || placed == 2 {
			return
		}
		if s := newJointState(r.j); s.place(order, never, nil, r.b) {
			r.offer(s)
			placed++
		}
	}
}

// orders are up to most orders of the chains, the given one first: all of them where
// they are few, else those that one chain leads.
func orders(chains []*chain, most int) [][]*chain {
	var out [][]*chain
	if len(chains) <= 3 {
		permute(chains, nil, &out)
		return out
	}
	for lead := range min(most, len(chains)) {
		order := []*chain{chains[lead]}
		for k, c := range chains {
			if k != lead {
				order = append(order, c)
			}
		}
		out = append(out, order)
	}
	return out
}

func permute(left, taken []*chain, out *[][]*chain) {
	if len(left) == 0 {
		*out = append(*out, slices.Clone(taken))
		return
	}
	for k, c := range left {
		rest := slices.Delete(slices.Clone(left), k, k+1)
		permute(rest, append(slices.Clone(taken), c), out)
	}
}

// descend improves complete placements by single moves and by placing single chains
// again as long as that goes, and offers them.
func (r *jointRun) descend(s *jointState) {
	for before := s.score(); !r.b.over; before = s.score() {
		for _, c := range r.order {
			s.improve(c, r.b)
		}
		for _, c := range r.order {
			s.replace(c, r.b)
		}
		if s.score().compare(before) >= 0 {
			break
		}
	}
	r.offer(s)
}

// squeeze looks for any placements where one after another found none: prices tell
// which memory is short. It may prove that there are none.
func (r *jointRun) squeeze() {
	p := newJointPricing(r.j, never, nil, r.b)
	if p == nil {
		return
	}
	if p.impossible(r.b, r.take) {
		r.infeasible = true
		return
	}
	r.priced(p, never)
}

// take offers walks that may be placements.
func (r *jointRun) take(ways [][]stop) {
	s := newJointState(r.j)
	for k, c := range r.j.chains {
		if _, ok := s.cost(c, ways[k]); !ok {
			return
		}
		s.put(c, ways[k])
	}
	r.offer(s)
}

// priced places the chains below a limit so that they pay little, and improves what
// comes out.
func (r *jointRun) priced(p *jointPricing, limit int64) {
	for _, order := range orders(r.order, jointOrders) {
		for _, t := range p.chains {
			t.walk(p.best)
		}
		if s := newJointState(r.j); s.place(order, limit, p.chains, r.b) {
			r.offer(s)
			return
		}
	}
}

// anneal bisects the gap between the bound and the best placements known with
// targets for moves. It begins in turn at the best placements and at some that pay
// little, and starts over when no target is left below the best.
func (r *jointRun) anneal() {
	low := r.low
	p := newJointPricing(r.j, r.score.peak, r.prices, r.b)
	for round := range annealRounds {
		if r.b.over || r.low >= r.score.peak {
			return
		}
		if low >= r.score.peak {
			low = r.low
		}
		target := low + (r.score.peak-low)/2
		s, heat := r.best.clone(), annealHeats[round%len(annealHeats)]
		if round%2 == 1 && p != nil {
			s = r.cheap(p, round, s)
		}
		reached := s.anneal(target, heat, r.moves(), uint64(round), r.b)
		if s.peak() < r.score.peak {
			r.descend(s)
		}
		if !reached {
			low = target + 1
		}
	}
}

// moves are those of one round.
func (r *jointRun) moves() int {
	positions := 0
	for _, c := range r.j.chains {
		positions += c.m.end
	}
	return min(annealMoves, 256*r.j.n*positions)
}

// cheap are placements that pay little, whatever their peak; the given ones where
// none are found.
func (r *jointRun) cheap(p *jointPricing, round int, otherwise *jointState) *jointState {
	all := orders(r.order, jointOrders)
	for _, t := range p.chains {
		t.walk(p.prices)
	}
	s := newJointState(r.j)
	if !s.place(all[round%len(all)], never, p.chains, r.b) {
		return otherwise
	}
	return s
}

// price raises the lower bound by prices, bisecting the gap to the best placements
// known; better ones that it comes by are taken.
func (r *jointRun) price(most int64) {
	high, work := r.score.peak, r.b.work
	for r.low < high && high-r.low > high/jointFine && r.b.work-work < most && !r.b.over {
		mid := r.low + (high-r.low)/2
		p := newJointPricing(r.j, mid, r.prices, r.b)
		if p == nil {
			return
		}
		proven := p.impossible(r.b, r.take)
		r.prices = p.prices
		if proven {
			r.low = mid + 1
			continue
		}
		if high = mid; r.score.peak > mid && p.best != nil {
			r.priced(p, mid+1)
		}
		high = min(high, r.score.peak)
	}
}

// exact searches below the best known until nothing is left, or the work is spent.
func (r *jointRun) exact(left int64) {
	p := newJointPricing(r.j, r.limit()-1, r.prices, r.b)
	if p != nil && p.impossible(r.b, r.take) {
		r.proven()
		return
	}
	if p != nil {
		p.prices = p.best
	}
	e := newJointExact(newJointState(r.j), r.order, r.limit(), p, r.b, left)
	done := e.search()
	if e.found != nil {
		r.take(e.found)
	}
	switch {
	case done:
		r.proven()
	case !r.b.over:
		r.reason = "the cluster is too large for a quick exact search of several models; algorithm exact goes on"
	}
}

// proven says that nothing is better than the best known.
func (r *jointRun) proven() {
	if r.best == nil {
		r.infeasible = true
		return
	}
	r.low = r.score.peak
}
