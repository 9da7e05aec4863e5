package solver

import "slices"

// jointState is what the chains placed so far leave of the cluster.
type jointState struct {
	j      *joint
	load   []int64 // ps by resource
	free   []int64 // bytes by node
	stages []int   // how many stages each node runs
	ways   [][]stop
	seen   []int // [node] scratch of cost: the last visit
	visit  int
}

func newJointState(j *joint) *jointState {
	return &jointState{
		j: j, load: make([]int64, j.resources), free: slices.Clone(j.room), stages: make([]int, j.n),
		ways: make([][]stop, len(j.chains)), seen: make([]int, j.n),
	}
}

// put places a chain, which keeps all rules.
func (s *jointState) put(c *chain, way []stop) {
	s.change(c, way, 1)
	s.ways[c.k] = way
}

// take takes a chain's placement away and gives it.
func (s *jointState) take(c *chain) []stop {
	way := s.ways[c.k]
	s.change(c, way, -1)
	s.ways[c.k] = nil
	return way
}

func (s *jointState) change(c *chain, way []stop, sign int64) {
	before, i := -1, 0
	for _, st := range way {
		s.carry(c.hop(before, st.node), c.m.bytes[i], sign)
		s.load[st.node] += sign * c.stagePS(st.node, i, st.end)
		s.free[st.node] -= sign * c.need(st.node, i, st.end)
		s.stages[st.node] += int(sign)
		before, i = st.node, st.end
	}
	if len(way) > 0 {
		s.carry(c.last(before), c.m.bytes[c.m.end], sign)
	}
}

// carry puts a transfer on the resources, or takes it off, and gives the busiest of
// them afterwards.
func (s *jointState) carry(h *hop, n, sign int64) (busiest int64) {
	if h == nil {
		return 0
	}
	for _, part := range h.parts {
		s.load[part.net] += sign * bytesPS(n, part.rate)
		busiest = max(busiest, s.load[part.net])
	}
	return busiest
}

// peak is the busiest resource.
func (s *jointState) peak() int64 { return slices.Max(s.load) }

// cost is what a placement of a chain comes to beside what is there; ok is false
// when it breaks a rule. The peak is that of the resources it loads.
func (s *jointState) cost(c *chain, way []stop) (sc score, ok bool) {
	if !s.keeps(c, way) {
		return sc, false
	}
	before, i := -1, 0
	for _, st := range way {
		sc.peak = max(sc.peak, s.move(c.hop(before, st.node), c.m.bytes[i], &sc))
		ps := c.stagePS(st.node, i, st.end)
		s.load[st.node] += ps
		sc.peak = max(sc.peak, s.load[st.node])
		sc.wait += ps
		k := &c.m.classes[c.of[st.node]]
		sc.moved += k.lacks[st.end] - k.lacks[i]
		before, i = st.node, st.end
	}
	sc.peak = max(sc.peak, s.move(c.last(before), c.m.bytes[c.m.end], &sc))
	sc.stages = len(way)
	s.undo(c, way)
	return sc, true
}

// move is carry that also counts the time.
func (s *jointState) move(h *hop, n int64, sc *score) int64 {
	if h == nil {
		return 0
	}
	sc.wait += bytesPS(n, h.rate) + h.wait
	return s.carry(h, n, 1)
}

// undo takes the times of a placement away, not its memory.
func (s *jointState) undo(c *chain, way []stop) {
	before, i := -1, 0
	for _, st := range way {
		s.carry(c.hop(before, st.node), c.m.bytes[i], -1)
		s.load[st.node] -= c.stagePS(st.node, i, st.end)
		before, i = st.node, st.end
	}
	s.carry(c.last(before), c.m.bytes[c.m.end], -1)
}

// keeps says whether a placement keeps all rules but those of time.
func (s *jointState) keeps(c *chain, way []stop) bool {
	if len(way) == 0 || len(way) > c.m.stages || way[len(way)-1].end != c.m.end {
		return false
	}
	s.visit++
	before, i := -1, 0
	for _, st := range way {
		h := c.hop(before, st.node)
		if st.end <= i || s.seen[st.node] == s.visit || h != nil && !h.up || !c.allowed(st.node, i, st.end, s.free[st.node]) {
			return false
		}
		s.seen[st.node] = s.visit
		before, i = st.node, st.end
	}
	h := c.last(before)
	return h == nil || h.up
}

// placements are the chains' placements as the problem numbers them.
func (s *jointState) placements() [][]Placed {
	var out [][]Placed
	for _, c := range s.j.chains {
		var stages []Placed
		i := 0
		for _, st := range s.ways[c.k] {
			stages = append(stages, Placed{Node: st.node, FirstSegment: c.m.cuts[i], LastSegment: c.m.cuts[st.end] - 1})
			i = st.end
		}
		out = append(out, stages)
	}
	return out
}

// stopsOf is the inverse of placements for one chain; nil for a placement that is
// cut where the chain has no position.
func (c *chain) stopsOf(stages []Placed) []stop {
	var out []stop
	for _, st := range stages {
		end, found := slices.BinarySearch(c.m.cuts, st.LastSegment+1)
		if !found {
			return nil
		}
		out = append(out, stop{st.Node, end})
	}
	return out
}

func (s *jointState) clone() *jointState {
	out := *s
	out.load, out.free, out.stages = slices.Clone(s.load), slices.Clone(s.free), slices.Clone(s.stages)
	out.seen, out.ways = slices.Clone(s.seen), nil
	for _, way := range s.ways {
		out.ways = append(out.ways, slices.Clone(way))
	}
	return &out
}

// score is what complete placements are compared by: the peak, and what they move,
// wait and use in all.
func (s *jointState) score() score {
	total := score{peak: s.peak()}
	for _, c := range s.j.chains {
		i, before := 0, -1
		for _, st := range s.ways[c.k] {
			k := &c.m.classes[c.of[st.node]]
			total.moved += k.lacks[st.end] - k.lacks[i]
			total.wait += c.stagePS(st.node, i, st.end) + c.hopPS(c.hop(before, st.node), i)
			before, i = st.node, st.end
		}
		total.wait += c.hopPS(c.last(before), i)
		total.stages += len(s.ways[c.k])
	}
	return total
}

// hopPS is how long cut i takes over a hop.
func (c *chain) hopPS(h *hop, i int) int64 {
	if h == nil {
		return 0
	}
	return bytesPS(c.m.bytes[i], h.rate) + h.wait
}
