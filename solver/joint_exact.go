package solver

// jointExact looks for placements with a peak below a limit, and proves that there
// are none when it comes to its end. It goes through the chains in order, and for
// each through its stages from the first to the last, beside what the chains before
// it use. A beginning is given up when the rest of its chain, or one of the chains to
// come, cannot stay below the limit beside what is used (joint_rest.go), or when all
// together pay more than there is (joint_prices.go, with the prices of the root).
type jointExact struct {
	s      *jointState
	order  []*chain
	limit  int64 // of the best known; only what is below counts
	found  [][]stop
	priced *jointPricing // nil: no prices
	tail   []int64       // [depth]: what the chains from there on pay at least
	rests  [][]*jointRest
	way    []stop // of the chain in hand
	taken  []bool // nodes of the chain in hand
	failed []map[uint64]bool
	paid   int64 // by the chains before the one in hand
	all    int64 // what there is to pay
	b      *budget
	left   int64 // work that may still be done
	// What nothing came of, by depth.
	dominators []dominators
}

func newJointExact(s *jointState, order []*chain, limit int64, priced *jointPricing, b *budget, left int64) *jointExact {
	e := &jointExact{s: s, order: order, limit: limit, priced: priced, taken: make([]bool, s.j.n), b: b, left: left}
	e.tail = make([]int64, len(order)+1)
	if priced != nil {
		e.all = priced.all()
	}
	for d := len(order) - 1; d >= 0; d-- {
		if priced != nil {
			paid, _, _ := priced.chains[order[d].k].walk(priced.prices)
			e.tail[d] = e.tail[d+1] + paid
		}
	}
	for d := range order {
		e.dominators = append(e.dominators, s.j.newDominators(order[d:]))
		row := make([]*jointRest, len(order))
		for k := range row {
			row[k] = &jointRest{}
		}
		e.rests = append(e.rests, row)
	}
	return e
}

// search is true when it came to its end: found is then the best, or nil, which is a
// proof. The state must be empty.
func (e *jointExact) search() (done bool) { return e.chain(0, 0) }

// chain places the chain at a depth and all behind it. peak is the busiest resource
// so far.
func (e *jointExact) chain(depth int, peak int64) bool {
	if depth == len(e.order) {
		e.limit, e.found = peak, nil
		for _, way := range e.s.ways {
			e.found = append(e.found, append([]stop(nil), way...))
		}
		return true
	}
	for d := depth; d < len(e.order); d++ {
		if !e.spend(e.s.rest(e.order[d], e.limit, e.rests[depth][d])) {
			return false
		}
		if e.rests[depth][d].first() >= e.limit {
			return true
		}
	}
	limit, left := e.limit, e.dominators[depth].residue(e.s, e.limit)
	if yes, work := e.dominators[depth].dominated(left); yes || !e.spend(work) {
		return yes
	}
	before := e.failed
	e.failed = append(e.failed, nil)
	if depth == len(e.order)-1 && len(e.order[depth].shares) == 0 && !e.order[depth].m.serial && e.s.j.n <= 32 {
		e.failed[depth] = map[uint64]bool{}
	}
	done := e.stage(depth, -1, 0, peak, 0)
	e.failed = before
	if done && e.limit == limit {
		e.dominators[depth].add(left)
	}
	return done
}

func (e *jointExact) spend(work int) bool {
	e.left -= int64(work)
	return e.b.spend(work/8+1) && e.left > 0
}

// stage adds the next stage of the chain at a depth, behind node u, from i. paid is
// what the chain pays so far. It is false when the budget is spent.
func (e *jointExact) stage(depth, u, i int, peak, paid int64) bool {
	c := e.order[depth]
	if len(e.way) == c.m.stages {
		return true
	}
	key := e.key(depth, u, i)
	if e.failed[depth] != nil && e.failed[depth][key] {
		return true
	}
	limit := e.limit
	for v := range e.s.j.n {
		if e.taken[v] || c.of[v] < 0 || e.twin(v) || e.rests[depth][depth].start[i*e.s.j.n+v] >= e.limit {
			continue
		}
		h := c.hop(u, v)
		if h != nil && !h.up {
			continue
		}
		if at := max(peak, e.s.carry(h, c.m.bytes[i], 1)); at < e.limit && !e.node(depth, u, v, i, at, paid) {
			return false
		}
		e.s.carry(h, c.m.bytes[i], -1)
	}
	if e.failed[depth] != nil && e.limit == limit {
		e.failed[depth][key] = true
	}
	return true
}

// key tells the beginnings of the last chain apart by what matters to the rest of it.
func (e *jointExact) key(depth, u, i int) uint64 {
	if e.failed[depth] == nil {
		return 0
	}
	var mask uint64
	for v, taken := range e.taken {
		if taken {
			mask |= 1 << v
		}
	}
	return mask | uint64(u+1)<<32 | uint64(i)<<40
}

// twin says that an unused node with a lower number can stand for this one.
func (e *jointExact) twin(v int) bool {
	t := e.s.j.twins[v]
	return t != v && e.s.stages[t] == 0 && e.s.stages[v] == 0 && !e.taken[t]
}

// node tries every end of a stage on v.
func (e *jointExact) node(depth, u, v, i int, peak, paid int64) bool {
	c, s := e.order[depth], e.s
	e.taken[v] = true
	defer func() { e.taken[v] = false }()
	pays := e.meter(c, u, v, i, paid)
	for end := i + 1; end <= c.m.end && !c.tooLong(v, i, end, e.limit-1-s.load[v], s.free[v]); end++ {
		if !e.spend(1) {
			return false
		}
		if e.rests[depth][depth].ended[end*s.j.n+v] >= e.limit || !c.allowed(v, i, end, s.free[v]) {
			continue
		}
		sum, rest := pays.to(end)
		if e.priced != nil && e.paid+sum+rest+e.tail[depth+1] > e.all {
			continue
		}
		ps := c.stagePS(v, i, end)
		s.load[v] += ps
		ok := true
		if at := max(peak, s.load[v]); at < e.limit {
			e.way = append(e.way, stop{v, end})
			ok = e.next(depth, v, end, at, sum)
			e.way = e.way[:len(e.way)-1]
		}
		s.load[v] -= ps
		if !ok {
			return false
		}
	}
	return true
}

// meter tells what the stages on one node from one position pay. The ends must come
// in ascending order.
type meter struct {
	t    *chainPrices // nil: nothing is priced
	v, i int
	paid int64 // before the stage
	at   int   // in the ends of t
}

func (e *jointExact) meter(c *chain, u, v, i int, paid int64) meter {
	if e.priced == nil {
		return meter{}
	}
	t := e.priced.chains[c.k]
	return meter{t: t, v: v, i: i, paid: paid + t.into(u, v, i)}
}

// to is what is paid with a stage that ends there, and what the rest pays at least.
func (m *meter) to(end int) (paid, rest int64) {
	if m.t == nil {
		return 0, 0
	}
	n := m.t.j.n
	ends := m.t.ends[m.i*n+m.v]
	for m.at < len(ends) && int(ends[m.at].end) < end {
		m.at++
	}
	if m.at == len(ends) || int(ends[m.at].end) > end {
		return never, 0 // it is not within the threshold
	}
	return m.paid + m.t.pays(m.v, ends[m.at]), m.t.ended[end*n+m.v]
}

// next goes on behind a stage: with the next stage, or at the end of the chain with
// the next chain.
func (e *jointExact) next(depth, v, end int, peak, paid int64) bool {
	c, s := e.order[depth], e.s
	if end < c.m.end {
		return e.stage(depth, v, end, peak, paid)
	}
	h := c.last(v)
	if h != nil && !h.up {
		return true
	}
	if e.priced != nil {
		paid += e.priced.chains[c.k].leave(v)
	}
	at := max(peak, s.carry(h, c.m.bytes[end], 1))
	done := at >= e.limit || e.deeper(depth, at, paid)
	s.carry(h, c.m.bytes[end], -1)
	return done
}

// deeper fixes the chain in hand and goes on with the next one. Its times are on the
// resources already.
func (e *jointExact) deeper(depth int, peak, paid int64) bool {
	c, s := e.order[depth], e.s
	way, taken := e.way, e.taken
	i := 0
	for _, st := range way {
		s.free[st.node] -= c.need(st.node, i, st.end)
		s.stages[st.node]++
		i = st.end
	}
	s.ways[c.k] = way
	e.way, e.taken, e.paid = nil, make([]bool, s.j.n), e.paid+paid
	done := e.chain(depth+1, peak)
	e.way, e.taken, e.paid = way, taken, e.paid-paid
	s.ways[c.k] = nil
	i = 0
	for _, st := range way {
		s.free[st.node] += c.need(st.node, i, st.end)
		s.stages[st.node]--
		i = st.end
	}
	return done
}
