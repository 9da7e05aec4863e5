package solver

// jointRest is what completing one chain comes to at least beside what is placed
// already: the relaxation of relax.go, where a walk may come back to a node, over
// loads that are there and memory that is left.
type jointRest struct {
	n     int
	start []int64 // [position*n+node]: least peak of the rest, a stage starts there
	ended []int64 // [position*n+node]: a stage has ended there
}

// rest fills a table; only peaks below limit count. It gives the work it took.
func (s *jointState) rest(c *chain, limit int64, t *jointRest) (work int) {
	n := s.j.n
	size := (c.m.end + 1) * n
	if t.n = n; len(t.start) < size {
		t.start, t.ended = make([]int64, size), make([]int64, size)
	}
	for v := range n {
		t.ended[c.m.end*n+v] = s.busiest(c.last(v), c.m.bytes[c.m.end])
	}
	for i := c.m.end - 1; i >= 0; i-- {
		for v := range n {
			work += s.restStart(c, i, v, limit, t)
		}
		if i > 0 {
			s.restEnded(c, i, t)
			work += n * n
		}
	}
	return work
}

// busiest is the busiest resource of a transfer, the nodes apart; never where there
// is no link.
func (s *jointState) busiest(h *hop, n int64) int64 {
	if h == nil {
		return 0
	}
	if !h.up {
		return never
	}
	var most int64
	for _, part := range h.parts {
		if part.net >= s.j.n {
			most = max(most, s.load[part.net]+bytesPS(n, part.rate))
		}
	}
	return most
}

func (s *jointState) restStart(c *chain, i, v int, limit int64, t *jointRest) (work int) {
	best := never
	free, at := s.free[v], s.load[v]
	if c.of[v] >= 0 {
		for end := i + 1; end <= c.m.end && !c.tooLong(v, i, end, min(best, limit)-1-at, free); end++ {
			work++
			if rest := t.ended[end*t.n+v]; rest < best && c.allowed(v, i, end, free) {
				best = min(best, max(rest, at+c.floorPS(v, i, end)))
			}
		}
		if i == 0 {
			best = max(best, s.busiest(c.hop(-1, v), c.m.bytes[0]))
		}
	}
	t.start[i*t.n+v] = best
	return work
}

func (s *jointState) restEnded(c *chain, i int, t *jointRest) {
	n := t.n
	for u := range n {
		best := never
		for v := range n {
			if start := t.start[i*n+v]; v != u && start < best {
				best = min(best, max(start, s.busiest(&c.hops[u*n+v], c.m.bytes[i])))
			}
		}
		t.ended[i*n+u] = best
	}
}

// first is the least peak of the whole chain.
func (t *jointRest) first() int64 {
	best := never
	for _, x := range t.start[:t.n] {
		best = min(best, x)
	}
	return best
}
