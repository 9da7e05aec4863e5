package solver

import (
	"cmp"
	"slices"
)

// Beam search over positions: of all beginnings of a placement that end at a
// position only the most promising are kept, ranked by the bottleneck so far
// joined with what the rest costs at least (Lowerre's beam search, 1976, with
// the bound of relax.go). It proves nothing, and gives the exact search a good
// placement to start from.

const (
	beamWidth = 30
	beamWork  = 1 << 26 // halves the width until the search stays below
)

type beamItem struct {
	rank   int64 // bottleneck that this can lead to, at least
	peak   int64
	wait   int64
	class  int
	pos    int
	depth  int
	sums   []int64
	busy   int64 // of the last stage's node, without overlap
	parent *beamItem
}

// beam gives the best path that it finds, or nil.
func (m *model) beam(rest *least, most int64, b *budget) path {
	width := beamWidth
	for width > 1 && width*len(m.classes)*m.end*m.end/2 > beamWork {
		width /= 2
	}
	fronts := make([][]*beamItem, m.end+1)
	s := beamSearch{m: m, rest: rest, most: most, width: width, fronts: fronts}
	s.extend(&beamItem{class: -1, sums: make([]int64, m.nets)})
	for i := 1; i < m.end; i++ {
		for _, it := range s.keep(i) {
			s.extend(it)
			if !b.spend(len(m.classes) * (m.end - i)) {
				return nil
			}
		}
		fronts[i] = nil
	}
	if ends := s.keep(m.end); len(ends) > 0 {
		return ends[0].path()
	}
	return nil
}

type beamSearch struct {
	m      *model
	rest   *least
	most   int64 // nothing that costs as much is of use
	width  int
	fronts [][]*beamItem
}

func (it *beamItem) path() path {
	var way path
	for ; it.parent != nil; it = it.parent {
		way = append(way, step{it.class, it.pos})
	}
	slices.Reverse(way)
	return way
}

// extend adds every stage that can follow.
func (s *beamSearch) extend(it *beamItem) {
	m := s.m
	if it.depth == m.stages {
		return
	}
	used := make([]int, len(m.classes))
	for up := it; up.parent != nil; up = up.parent {
		used[up.class]++
	}
	for d := range m.classes {
		c := &m.classes[d]
		l := &c.enter
		if it.parent != nil {
			l = &m.links[it.class][d]
		}
		if used[d] == len(c.members) || !l.up {
			continue
		}
		for j := it.pos + 1; j <= m.end && !c.tooLong(it.pos, j, s.most-1) && m.weight[j]-m.weight[it.pos] <= c.room; j++ {
			if m.allowed(c, it.pos, j) {
				s.add(it, l, d, j)
			}
		}
	}
}

func (s *beamSearch) add(it *beamItem, l *link, d, j int) {
	m, c := s.m, &s.m.classes[d]
	next := beamItem{class: d, pos: j, depth: it.depth + 1, sums: it.sums, parent: it}
	hop, busy := l.ps(m.bytes[it.pos]), m.stagePS(c, it.pos, j)
	next.wait = it.wait + hop + busy
	next.peak = max(it.peak, hop, busy)
	if m.serial {
		next.peak, next.busy = max(it.peak, it.busy+hop, hop+busy), hop+busy
	}
	s.carry(&next, l, m.bytes[it.pos])
	if c.sum >= 0 {
		next.sums = slices.Clone(next.sums)
		next.sums[c.sum] += busy
		next.peak = max(next.peak, next.sums[c.sum])
	}
	if j == m.end {
		last := c.leave.ps(m.bytes[m.end])
		next.peak = max(next.peak, last, next.busy+last)
		s.carry(&next, &c.leave, m.bytes[m.end])
		next.wait += last
	}
	next.rank = max(next.peak, s.rest.ended[d][j][0])
	if next.rank < s.most {
		kept := next // only what is kept leaves the stack
		s.fronts[j] = append(s.fronts[j], &kept)
		if len(s.fronts[j]) >= 16*s.width {
			s.fronts[j] = s.keep(j)
		}
	}
}

func (s *beamSearch) carry(it *beamItem, l *link, n int64) {
	if len(l.nets) > 0 && !l.free {
		it.sums = slices.Clone(it.sums)
		it.peak = max(it.peak, l.add(it.sums, n))
	}
}

// keep ranks the beginnings that end at a position and keeps the best, not too
// many with the same last class.
func (s *beamSearch) keep(j int) []*beamItem {
	slices.SortStableFunc(s.fronts[j], func(a, b *beamItem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.wait, b.wait))
	})
	var out []*beamItem
	perClass := make([]int, len(s.m.classes))
	for _, it := range s.fronts[j] {
		if perClass[it.class] > s.width/3 && len(s.m.classes) > 3 {
			continue
		}
		perClass[it.class]++
		if out = append(out, it); len(out) == s.width {
			break
		}
	}
	return out
}
