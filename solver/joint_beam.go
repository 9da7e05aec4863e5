package solver

import (
	"cmp"
	"slices"
)

// Beam search for one chain beside what is placed already, as in beam.go. It ranks
// the beginnings by the peak that they can lead to, or, where there are prices, by
// what they pay, so that a chain leaves the others what these need.

const (
	jointBeamWidth = 12
	jointBeamWork  = 1 << 24 // halves the width until the search stays below
)

type jointItem struct {
	rank   [2]int64
	peak   int64
	wait   int64
	paid   int64
	node   int
	pos    int
	depth  int
	sums   []int64 // of the chain's shares
	busy   int64   // of the last stage's node
	parent *jointItem
}

type jointBeam struct {
	s      *jointState
	c      *chain
	limit  int64 // only peaks below it count
	rest   *jointRest
	prices *chainPrices // nil: rank by peak
	width  int
	fronts [][]*jointItem
	work   int
}

// beam gives the best placement of a chain that it finds below a limit, or nil.
func (s *jointState) beam(c *chain, limit int64, prices *chainPrices, b *budget) []stop {
	x := &jointBeam{s: s, c: c, limit: limit, prices: prices, width: jointBeamWidth, rest: &jointRest{}}
	x.work = s.rest(c, limit, x.rest)
	if !b.spend(x.work/8) || x.rest.first() >= limit {
		return nil
	}
	for x.width > 1 && x.width*s.j.n*c.m.end*c.m.end/2 > jointBeamWork {
		x.width /= 2
	}
	x.fronts = make([][]*jointItem, c.m.end+1)
	x.extend(&jointItem{node: -1, sums: make([]int64, len(c.shares))})
	for i := 1; i < c.m.end; i++ {
		for _, it := range x.keep(i) {
			x.work = 0
			x.extend(it)
			if !b.spend(x.work / 8) {
				return nil
			}
		}
		x.fronts[i] = nil
	}
	for _, it := range x.keep(c.m.end) {
		if way := it.way(); s.keeps(c, way) {
			return way
		}
	}
	return nil
}

func (it *jointItem) way() []stop {
	var way []stop
	for ; it.parent != nil; it = it.parent {
		way = append(way, stop{it.node, it.pos})
	}
	slices.Reverse(way)
	return way
}

// extend adds every stage that can follow.
func (x *jointBeam) extend(it *jointItem) {
	if it.depth == x.c.m.stages {
		return
	}
	x.s.visit++
	for up := it; up.parent != nil; up = up.parent {
		x.s.seen[up.node] = x.s.visit
	}
	for v := range x.s.j.n {
		h := x.c.hop(it.node, v)
		if x.s.seen[v] == x.s.visit || x.c.of[v] < 0 || h != nil && !h.up || x.rest.start[it.pos*x.rest.n+v] >= x.limit || x.twin(v) {
			continue
		}
		next := jointItem{node: v, depth: it.depth + 1, parent: it, sums: slices.Clone(it.sums), wait: it.wait, paid: it.paid}
		next.peak = max(it.peak, x.carry(&next, h, x.c.m.bytes[it.pos], it.node, it.busy))
		if next.peak < x.limit {
			x.ends(it, &next)
		}
	}
}

// twin says that an unused node with a lower number can stand for this one.
func (x *jointBeam) twin(v int) bool {
	t := x.s.j.twins[v]
	return t != v && x.s.stages[t] == 0 && x.s.stages[v] == 0 && x.s.seen[t] != x.s.visit
}

// carry puts a transfer on an item and gives the busiest resource. The sender's
// node has been busy for some time already.
func (x *jointBeam) carry(it *jointItem, h *hop, n int64, sender int, sent int64) (busiest int64) {
	if h == nil {
		return 0
	}
	it.wait += bytesPS(n, h.rate) + h.wait
	for _, part := range h.parts {
		ps := bytesPS(n, part.rate)
		switch i := x.c.share[part.net]; {
		case i >= 0:
			it.sums[i] += ps
			ps = it.sums[i]
		case part.net == sender && sender != it.node:
			ps += sent
		case part.net == it.node:
			it.busy += ps
			ps = it.busy
		}
		busiest = max(busiest, x.s.load[part.net]+ps)
	}
	return busiest
}

func (x *jointBeam) ends(it, begun *jointItem) {
	c, v := x.c, begun.node
	for end := it.pos + 1; end <= c.m.end && !c.tooLong(v, it.pos, end, x.limit-1-x.s.load[v], x.s.free[v]); end++ {
		x.work++
		rest := x.rest.ended[end*x.rest.n+v]
		if rest >= x.limit || !c.allowed(v, it.pos, end, x.s.free[v]) {
			continue
		}
		next := *begun
		next.pos = end
		ps := c.stagePS(v, it.pos, end)
		next.wait += ps
		next.busy += ps
		at := next.busy
		if i := c.share[v]; i >= 0 {
			next.sums = slices.Clone(next.sums)
			next.sums[i] += ps
			at = next.sums[i]
		}
		next.peak = max(next.peak, x.s.load[v]+at)
		if end == c.m.end {
			next.node = -1 // the transfer is sent, not received
			next.sums = slices.Clone(next.sums)
			next.peak = max(next.peak, x.carry(&next, c.last(v), c.m.bytes[end], v, next.busy))
			next.node = v
		}
		x.add(it, &next, rest)
	}
}

func (x *jointBeam) add(it, next *jointItem, rest int64) {
	most := max(next.peak, rest)
	if most >= x.limit {
		return
	}
	next.rank = [2]int64{most, next.wait}
	if x.prices != nil {
		next.paid += x.prices.stage(it.node, next.node, it.pos, next.pos)
		next.rank = [2]int64{next.paid + x.prices.ended[next.pos*x.rest.n+next.node], most}
	}
	x.fronts[next.pos] = append(x.fronts[next.pos], next)
	if len(x.fronts[next.pos]) >= 16*x.width {
		x.fronts[next.pos] = x.keep(next.pos)
	}
}

// keep ranks the beginnings that end at a position and keeps the best, not too many
// with the same last node.
func (x *jointBeam) keep(pos int) []*jointItem {
	slices.SortStableFunc(x.fronts[pos], func(a, b *jointItem) int {
		return cmp.Or(slices.Compare(a.rank[:], b.rank[:]), cmp.Compare(a.peak, b.peak), cmp.Compare(a.wait, b.wait))
	})
	var out []*jointItem
	perNode := make([]int, x.s.j.n)
	for _, it := range x.fronts[pos] {
		if perNode[it.node] > x.width/3 && x.s.j.n > 3 {
			continue
		}
		perNode[it.node]++
		if out = append(out, it); len(out) == x.width {
			break
		}
	}
	return out
}
