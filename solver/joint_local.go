package solver

import "slices"

// Local search over all chains. One chain at a time is changed beside the others by
// the moves of local.go; where these end, whole chains are taken away and placed
// again.

const jointLocalWork = 1 << 22 // of one improvement of one chain, in stages looked at

// jointMoves changes the placement of one chain that has been taken away.
type jointMoves struct {
	s    *jointState
	c    *chain
	way  []stop
	best score
	b    *budget
	left int
}

// improve places a chain that is placed no worse, by single moves.
func (s *jointState) improve(c *chain, b *budget) {
	way := s.take(c)
	rest := s.peak()
	best, _ := s.cost(c, way)
	best.peak = max(best.peak, rest)
	x := &jointMoves{s: s, c: c, way: way, best: best, b: b, left: jointLocalWork}
	for x.shift(rest) || x.exchange(rest) || x.merge(rest) || x.split(rest) {
	}
	s.put(c, x.way)
}

func (x *jointMoves) done() bool { return x.left < 0 || x.b.over }

// try keeps a changed placement when it is better.
func (x *jointMoves) try(way []stop, rest int64) bool {
	x.left -= len(way)
	if !x.b.spend(len(way)) || x.done() {
		return false
	}
	sc, ok := x.s.cost(x.c, way)
	sc.peak = max(sc.peak, rest)
	if ok && sc.compare(x.best) < 0 {
		x.way, x.best = slices.Clone(way), sc
		return true
	}
	return false
}

func (x *jointMoves) shift(rest int64) (better bool) {
	for k := 0; k+1 < len(x.way) && !x.done(); k++ {
		first := 1
		if k > 0 {
			first = x.way[k-1].end + 1
		}
		for end := first; end < x.way[k+1].end; end++ {
			way := slices.Clone(x.way)
			way[k].end = end
			better = x.try(way, rest) || better
		}
	}
	return better
}

// exchange takes another node for a stage: an unused one, or that of another stage,
// which gets this one's.
func (x *jointMoves) exchange(rest int64) (better bool) {
	for k := 0; k < len(x.way) && !x.done(); k++ {
		for v := range x.s.j.n {
			if x.c.of[v] < 0 {
				continue
			}
			way := slices.Clone(x.way)
			if l := slices.IndexFunc(way, func(st stop) bool { return st.node == v }); l >= 0 {
				way[l].node = way[k].node
			}
			way[k].node = v
			better = x.try(way, rest) || better
		}
	}
	return better
}

// merge gives a stage's segments to the next one, or to the one before.
func (x *jointMoves) merge(rest int64) bool {
	for k := 0; k+1 < len(x.way) && !x.done(); k++ {
		next := slices.Delete(slices.Clone(x.way), k, k+1)
		if x.try(next, rest) {
			return true
		}
		next[k].node = x.way[k].node
		if x.try(next, rest) {
			return true
		}
	}
	return false
}

// split gives a part of a stage to an unused node, before or after it.
func (x *jointMoves) split(rest int64) bool {
	if len(x.way) >= x.c.m.stages {
		return false
	}
	first := 0
	for k, st := range x.way {
		for v := 0; v < x.s.j.n && !x.done(); v++ {
			if x.c.of[v] < 0 || slices.ContainsFunc(x.way, func(st stop) bool { return st.node == v }) {
				continue
			}
			for end := first + 1; end < st.end; end++ {
				way := slices.Insert(slices.Clone(x.way), k, stop{v, end})
				if x.try(way, rest) {
					return true
				}
				way[k].node, way[k+1].node = st.node, v
				if x.try(way, rest) {
					return true
				}
			}
		}
		first = st.end
	}
	return false
}

// replace takes a chain away and places it again below the peak. Where that makes
// nothing better it stays as it was.
func (s *jointState) replace(c *chain, b *budget) {
	score, before := s.score(), s.take(c)
	if s.place([]*chain{c}, score.peak, nil, b) && s.score().compare(score) < 0 {
		return
	}
	s.take(c)
	s.put(c, before)
}

// place places chains one after another below a limit, as the prices advise where
// there are some; true when none is missing.
func (s *jointState) place(chains []*chain, limit int64, prices []*chainPrices, b *budget) bool {
	for _, c := range chains {
		var price *chainPrices
		if prices != nil {
			price = prices[c.k]
		}
		way := s.beam(c, limit, price, b)
		if way == nil {
			return false
		}
		s.put(c, way)
	}
	return true
}
