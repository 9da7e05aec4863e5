package solver

import "slices"

// guided decides a threshold by a dynamic programme over (nodes used, last class)
// with a bit set of the positions where that stage may end, as in threshold.go, but
// one stage after the other, only over what can be reached, and led by prices: what
// a beginning has paid and what the rest costs at least (walks.go) must not exceed
// the price of all nodes, or no placement begins so. That leaves few beginnings
// where the prices are good. When there are still more than the width, the ones with
// the least price stay, as in beam search (Lowerre, 1976), and finding no placement
// proves nothing.
type guided struct {
	m      *model
	prune  *walks // decides what may stay
	lead   *walks // decides what stays when there is too much
	width  int
	first  []int // [class]: its first bit in a mask, one a member
	layers []*layer
	cut    bool  // something was dropped
	most   int64 // rank above which all is dropped in this layer
	slots  []int32
	spots  int // in all layers
	// scratch of expand
	rank []int64
	from []bitset
	hit  []int32
	to   bitset
}

// maxSpots bounds the memory of one search to about half a gibibyte.
const maxSpots = 1 << 22

func newGuided(prune, lead *walks, width int) *guided {
	m := prune.t.m
	g := &guided{m: m, prune: prune, lead: lead, width: width, most: never}
	members := 0
	for _, c := range m.classes {
		g.first = append(g.first, members)
		members += len(c.members)
		g.from = append(g.from, make(bitset, words(m.end+1)))
	}
	g.rank, g.to = make([]int64, len(m.classes)), make(bitset, words(m.end+1))
	root := &layer{masks: words(members), sets: words(m.end + 1)}
	root.spots = []spot{{class: -1}}
	root.mask, root.at = make([]uint64, root.masks), make([]uint64, root.sets)
	root.atOf(0).set(0)
	g.layers = []*layer{root}
	return g
}

// solve looks for a placement within the threshold. Without one, and with proven,
// there is none.
func (g *guided) solve(b *budget) (way path, proven bool) {
	for depth := 1; depth <= g.m.stages; depth++ {
		before := g.layers[depth-1]
		next := &layer{masks: before.masks, sets: before.sets}
		g.layers = append(g.layers, next)
		g.most = never
		g.rehash(next, 64)
		for k := range before.spots {
			work, end := g.expand(next, before, k)
			if end >= 0 {
				return g.trace(end), false
			}
			if !b.spend(1+work/workUnit) || g.spots+len(next.spots) > maxSpots {
				return nil, false
			}
			if len(next.spots) >= 4*g.width {
				g.keep(next)
			}
		}
		g.keep(next)
		if len(next.spots) == 0 {
			return nil, !g.cut
		}
		g.spots += len(next.spots)
	}
	return nil, !g.cut
}

// taken is how many members of a class a mask has.
func (g *guided) taken(mask []uint64, c int) int {
	for k := range g.m.classes[c].members {
		if b := g.first[c] + k; mask[b>>6]>>(b&63)&1 == 0 {
			return k
		}
	}
	return len(g.m.classes[c].members)
}

// expand adds every stage that can follow a beginning. The second result is a
// beginning that is whole, or -1.
func (g *guided) expand(next, before *layer, k int) (work, whole int) {
	s, n := &before.spots[k], len(g.m.classes)
	mask, at := before.maskOf(k), before.atOf(k)
	left := g.prune.all - s.pays
	g.hit = g.hit[:0]
	for i := at.next(0); i >= 0; i = at.next(i + 1) {
		rank := g.m.rank[i]
		for _, d := range g.prune.cheap[i] {
			work++
			if g.prune.start[i*n+int(d)] > left {
				break
			}
			if s.class >= 0 && rank >= g.prune.t.sizes[int(s.class)*n+int(d)] {
				continue
			}
			if g.from[d].empty() {
				g.hit, g.rank[d] = append(g.hit, d), never
			}
			g.from[d].set(i)
			g.rank[d] = min(g.rank[d], g.lead.start[i*n+int(d)])
		}
	}
	slices.Sort(g.hit)
	whole = -1
	for _, d := range g.hit {
		if rank := s.leadPays + g.rank[d]; rank > g.lead.all {
			// dearer than all nodes at these prices
		} else if rank > g.most {
			g.cut = true
		} else if member := g.taken(mask, int(d)); whole < 0 && member < len(g.m.classes[d].members) {
			work += g.follow(int(d), s)
			if !g.to.empty() {
				work += workUnit
				to := g.insert(next, s, mask, int(d), member, rank)
				if g.to.has(g.m.end) {
					whole = to
				}
			}
		}
		clear(g.from[d])
	}
	return work, whole
}

// follow finds where a stage on class d may end behind a beginning.
func (g *guided) follow(d int, s *spot) (work int) {
	clear(g.to)
	from, n := g.from[d], len(g.m.classes)
	for i := from.next(0); i >= 0; i = from.next(i + 1) {
		g.to.or(g.prune.t.ends[d][i])
		work++
	}
	left := g.prune.all - s.pays - g.prune.prices[d] - g.prune.stage
	for j := g.to.next(0); j >= 0; j = g.to.next(j + 1) {
		if g.prune.ended[j*n+d] > left {
			g.to[j>>6] &^= 1 << (j & 63)
		}
		work++
	}
	return work
}

// insert adds a beginning, or more ends to the same one, and gives its number.
func (g *guided) insert(next *layer, s *spot, mask []uint64, d, member int, rank int64) int {
	bit := g.first[d] + member
	hash := s.hash ^ mix(uint64(bit)+1)
	slot := g.slot(next, hash, mask, bit, d)
	if k := g.slots[slot]; k > 0 {
		next.atOf(int(k - 1)).or(g.to)
		o := &next.spots[k-1]
		o.rank = min(o.rank, rank)
		return int(k - 1)
	}
	at := len(next.spots)
	next.spots = append(next.spots, spot{hash, s.pays + g.prune.prices[d] + g.prune.stage,
		s.leadPays + g.lead.prices[d] + g.lead.stage, rank, int32(d)})
	next.mask = append(next.mask, mask...)
	next.maskOf(at)[bit>>6] |= 1 << (bit & 63)
	next.at = append(next.at, g.to...)
	g.slots[slot] = int32(at + 1)
	if 2*len(next.spots) > len(g.slots) {
		g.rehash(next, 2*len(g.slots))
	}
	return at
}

// trace follows a whole beginning back, always to the first one that leads to it.
func (g *guided) trace(k int) path {
	depth, end := len(g.layers)-1, g.m.end
	var way path
	for {
		l := g.layers[depth]
		d := int(l.spots[k].class)
		way = append(way, step{d, end})
		if depth--; depth == 0 {
			slices.Reverse(way)
			return way
		}
		k, end = g.before(g.layers[depth], l.maskOf(k), d, end)
	}
}

func (g *guided) before(l *layer, mask []uint64, d, end int) (k, i int) {
	t, bit := g.prune.t, g.first[d]+g.taken(mask, d)-1
	for k := range l.spots {
		if !sameWith(mask, l.maskOf(k), bit) || l.maskOf(k)[bit>>6]>>(bit&63)&1 != 0 {
			continue
		}
		at := l.atOf(k)
		for i := at.next(1); i >= 0; i = at.next(i + 1) {
			if t.crosses(int(l.spots[k].class), d, i) && t.ends[d][i].has(end) {
				return k, i
			}
		}
	}
	panic("solver: a beginning has none before it") // a fault of this file
}
