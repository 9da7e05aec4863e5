package solver

import "slices"

// dominated compares a new label with those of its state, and drops the ones
// that it dominates itself.
func (s *labels) dominated(id int32) bool {
	first, some := s.head[s.all[id].state]
	if !some {
		return false
	}
	before := int32(-1)
	for o := first; o >= 0; o = s.all[o].next {
		c := 0
		if s.ties {
			c = s.order(o, id)
		}
		lighter, heavier := s.compareLoads(o, id)
		if c <= 0 && lighter {
			return true
		}
		if c >= 0 && heavier {
			s.all[o].gone = true
			s.unlink(before, o)
			continue
		}
		before = o
	}
	return false
}

func (s *labels) unlink(before, o int32) {
	switch {
	case before >= 0:
		s.all[before].next = s.all[o].next
	case s.all[o].next >= 0:
		s.head[s.all[o].state] = s.all[o].next
	default:
		delete(s.head, s.all[o].state)
	}
}

// compareLoads says whether a adds no more to any sum than b, and no less.
func (s *labels) compareLoads(a, b int32) (lighter, heavier bool) {
	lighter, heavier = true, true
	for net := range s.m.nets {
		x, y := s.sums[int(a)*s.m.nets+net], s.sums[int(b)*s.m.nets+net]
		lighter, heavier = lighter && x <= y, heavier && x >= y
	}
	x, y := s.all[a].busy, s.all[b].busy
	lighter, heavier = lighter && x <= y, heavier && x >= y
	if !s.ties {
		x, y = s.all[a].peak, s.all[b].peak
		lighter, heavier = lighter && x <= y, heavier && x >= y
	}
	return lighter, heavier
}

// order compares two labels of one state, or two whole placements, in the order
// in which ties are decided. Beginnings with the same nodes and the same number
// of stages keep their order whatever follows.
func (s *labels) order(a, b int32) int {
	x, y := s.all[a].cost, s.all[b].cost
	if x != y {
		if x.less(y) {
			return -1
		}
		return 1
	}
	return comparePlaced(s.m.placed(s.trace(a)), s.m.placed(s.trace(b)))
}

// trace is the path of a label; a stage that has only started ends where it
// starts.
func (s *labels) trace(id int32) path {
	var way path
	for ; id >= 0; id = s.all[id].parent {
		if l := &s.all[id]; l.ended {
			way = append(way, step{int(l.class), int(l.pos)})
		}
	}
	slices.Reverse(way)
	return way
}
