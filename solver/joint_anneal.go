package solver

import (
	"math/rand/v2"
	"slices"
)

// Threshold accepting (Dueck and Scheuer, Journal of Computational Physics 90, 1990)
// on all chains at once: for a target of the peak, random moves are taken unless they
// raise the overload, what all resources together exceed the target by, by more than a
// threshold that falls to 0. Without overload the target is reached. Where the peak
// alone would not tell one bad placement from another, the overload does. The draws
// are always the same, and all is counted in integers.

// jointAnneal is one attempt at one target.
type jointAnneal struct {
	s      *jointState
	target int64
	over   int64 // what the resources exceed the target by
	draw   *rand.Rand
	way    []stop // the changed placement
}

// anneal makes moves on complete placements, with a threshold that begins at the
// target over heat; true when the target is reached.
func (s *jointState) anneal(target, heat int64, moves int, seed uint64, b *budget) bool {
	x := &jointAnneal{s: s, target: target, draw: rand.New(rand.NewPCG(seed, 21))}
	for _, ps := range s.load {
		x.over += max(0, ps-target)
	}
	high := max(target/heat, 1)
	for k := range moves {
		if x.over == 0 {
			return true
		}
		c := s.j.chains[x.draw.IntN(len(s.j.chains))]
		x.move(c, high-high/int64(moves)*int64(k))
		if k%64 == 0 && !b.spend(64*8) {
			return false
		}
	}
	return x.over == 0
}

// move tries one random change of a chain's placement.
func (x *jointAnneal) move(c *chain, threshold int64) {
	before := x.s.ways[c.k]
	x.way = append(x.way[:0], before...)
	switch x.draw.IntN(8) {
	case 0, 1, 2:
		x.shift(c)
	case 3, 4:
		x.exchange()
	case 5:
		x.swapRun()
	case 6:
		x.merge()
	default:
		x.split(c)
	}
	if slices.Equal(x.way, before) {
		return
	}
	over := x.over
	x.put(c, before, -1)
	if x.s.keeps(c, x.way) {
		if x.put(c, x.way, 1); x.over <= over+threshold {
			x.s.ways[c.k] = slices.Clone(x.way)
			return
		}
		x.put(c, x.way, -1)
	}
	x.put(c, before, 1)
}

// shift moves the end of a stage, by few positions more often than by many.
func (x *jointAnneal) shift(c *chain) {
	if len(x.way) < 2 {
		return
	}
	k := x.draw.IntN(len(x.way) - 1)
	by := 1 + x.draw.IntN(1+x.draw.IntN(max(1, c.m.end/4)))
	if x.draw.IntN(2) == 0 {
		by = -by
	}
	first := 1
	if k > 0 {
		first = x.way[k-1].end + 1
	}
	x.way[k].end = min(max(x.way[k].end+by, first), x.way[k+1].end-1)
}

// exchange takes another node for a stage; a stage that is there gets this one's.
func (x *jointAnneal) exchange() {
	k, v := x.draw.IntN(len(x.way)), x.draw.IntN(x.s.j.n)
	if l := slices.IndexFunc(x.way, func(st stop) bool { return st.node == v }); l >= 0 {
		x.way[l].node = x.way[k].node
	}
	x.way[k].node = v
}

// swapRun turns the nodes of consecutive stages around.
func (x *jointAnneal) swapRun() {
	a, z := x.draw.IntN(len(x.way)), x.draw.IntN(len(x.way))
	for a < z {
		x.way[a].node, x.way[z].node = x.way[z].node, x.way[a].node
		a, z = a+1, z-1
	}
}

// merge gives a stage to its neighbour.
func (x *jointAnneal) merge() {
	if len(x.way) < 2 {
		return
	}
	k := x.draw.IntN(len(x.way) - 1)
	if x.draw.IntN(2) == 0 {
		x.way[k+1].node = x.way[k].node
	}
	x.way = slices.Delete(x.way, k, k+1)
}

// split gives the first part of a stage, or the second, to another node.
func (x *jointAnneal) split(c *chain) {
	k, v := x.draw.IntN(len(x.way)), x.draw.IntN(x.s.j.n)
	first := 0
	if k > 0 {
		first = x.way[k-1].end
	}
	length := x.way[k].end - first
	taken := slices.ContainsFunc(x.way, func(st stop) bool { return st.node == v })
	if length < 2 || taken || len(x.way) >= c.m.stages {
		return
	}
	cut := stop{v, first + 1 + x.draw.IntN(length-1)}
	if x.draw.IntN(2) == 0 {
		cut.node, x.way[k].node = x.way[k].node, v
	}
	x.way = slices.Insert(x.way, k, cut)
}

// put is the state's change that keeps the overload up to date.
func (x *jointAnneal) put(c *chain, way []stop, sign int64) {
	before, i := -1, 0
	for _, st := range way {
		x.carry(c.hop(before, st.node), c.m.bytes[i], sign)
		x.add(st.node, sign*c.stagePS(st.node, i, st.end))
		x.s.free[st.node] -= sign * c.need(st.node, i, st.end)
		x.s.stages[st.node] += int(sign)
		before, i = st.node, st.end
	}
	x.carry(c.last(before), c.m.bytes[c.m.end], sign)
}

func (x *jointAnneal) carry(h *hop, n, sign int64) {
	if h == nil {
		return
	}
	for _, part := range h.parts {
		x.add(part.net, sign*bytesPS(n, part.rate))
	}
}

func (x *jointAnneal) add(resource int, ps int64) {
	was := x.s.load[resource]
	x.s.load[resource] = was + ps
	x.over += max(0, was+ps-x.target) - max(0, was-x.target)
}
