package solver

import "math/bits"

// A lower bound for several models together, as in prices.go for one. Everything
// that placements share has a price of at least 0: the time of each node, network
// and interface up to a threshold, the memory of each node, and, for each chain, one
// visit to each node. Within the threshold no placements use more of anything than
// there is, so they pay at most all prices together. When the cheapest walks of all
// chains, which may come back to a node, pay more than that, no placements are within
// the threshold: proven, in integers, whatever the prices are. Uses are in parts of
// what there is, rounded down. The prices come from multiplicative weights.

const (
	useParts    = int64(1) << 20 // of what there is
	jointTotal  = int64(1) << 32 // of all prices; a walk pays below 2^62
	jointRounds = 400
	jointTable  = 1 << 25 // the largest tables of uses
	jointFine   = 1 << 13 // the bisection ends at this part of the bottleneck
)

// jointPricing is one threshold.
type jointPricing struct {
	j      *joint
	limit  int64
	chains []*chainPrices
	prices []int64 // by resource below links, then memory by node, then visits by chain and node
	active []int   // the indexes of prices that count
	used   []int64
	best   []int64 // the prices under which the walks paid most of what there is
	most   float64
}

// chainPrices is one chain under one threshold.
type chainPrices struct {
	j     *joint
	c     *chain
	ends  [][]use     // [position*n+node]: where a stage may end
	moves [][]moveUse // [position*n*n+from*n+to], nil where not; only kept where it is priced
	up    []bool      // [position*n*n+from*n+to]
	// The cheapest completions under the prices, and how they go on.
	start, ended []int64
	end, next    []int32
	prices       []int64
	memory, node int // where memory and visits of the chain begin in prices
}

// use is a stage with the parts of its node's time and memory that it uses.
type use struct {
	end          int32
	time, memory int32
}

// moveUse is a part of a resource that a transfer uses.
type moveUse struct {
	resource int32
	part     int32
}

// parts is x in parts of all, rounded down; x is at most all.
func parts(x, all int64) int32 {
	if all <= 0 || x <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(x), uint64(useParts))
	q, _ := bits.Div64(hi, lo, uint64(all))
	return int32(q)
}

// newJointPricing starts with the given prices, or, where they are nil, with even
// ones. It gives nil for problems that are too large.
func newJointPricing(j *joint, limit int64, prices []int64, b *budget) *jointPricing {
	size := 0
	for _, c := range j.chains {
		size += j.n * c.m.end * (c.m.end + j.n)
	}
	if size > jointTable || !b.spend(size/8) {
		return nil
	}
	p := &jointPricing{j: j, limit: limit, prices: prices}
	p.activate()
	if prices == nil {
		p.prices = make([]int64, p.size())
		for _, i := range p.active {
			p.prices[i] = jointTotal / int64(len(p.active))
		}
	}
	p.used = make([]int64, p.size())
	for _, c := range j.chains {
		p.chains = append(p.chains, p.newChainPrices(c))
	}
	return p
}

func (p *jointPricing) shared() int { return 3*p.j.n + len(p.j.p.Shared) }
func (p *jointPricing) size() int   { return p.shared() + p.j.n*(1+len(p.j.chains)) }

// activate lists the prices of what there is. Links have none: few are shared.
func (p *jointPricing) activate() {
	add := func(i int, ok bool) {
		if ok {
			p.active = append(p.active, i)
		}
	}
	n := p.j.n
	for v, node := range p.j.p.Nodes {
		add(v, true)
		add(p.j.out(v), node.SendBytesPerSecond > 0)
		add(p.j.in(v), node.ReceiveBytesPerSecond > 0)
		add(p.shared()+v, true)
	}
	for k := range p.j.p.Shared {
		add(p.j.network(k), true)
	}
	for i := range n * len(p.j.chains) {
		add(p.shared()+n+i, true)
	}
}

func (p *jointPricing) newChainPrices(c *chain) *chainPrices {
	n := p.j.n
	t := &chainPrices{j: p.j, c: c, memory: p.shared(), node: p.shared() + n*(1+c.k)}
	t.ends = make([][]use, c.m.end*n)
	t.up = make([]bool, (c.m.end+1)*n*n)
	t.moves = make([][]moveUse, (c.m.end+1)*n*n)
	t.start, t.ended = make([]int64, (c.m.end+1)*n), make([]int64, (c.m.end+1)*n)
	t.end, t.next = make([]int32, (c.m.end+1)*n), make([]int32, (c.m.end+1)*n)
	for i := range c.m.end {
		for v := range n {
			if c.of[v] >= 0 {
				t.ends[i*n+v] = p.usesOf(c, v, i)
			}
		}
	}
	for i := range c.m.end + 1 {
		for u := range n {
			for v := range n {
				p.addMove(t, i, u, v)
			}
		}
	}
	return t
}

// usesOf are the stages of a chain on v from i that are within the threshold.
func (p *jointPricing) usesOf(c *chain, v, i int) []use {
	var out []use
	for end := i + 1; end <= c.m.end && !c.tooLong(v, i, end, p.limit, p.j.room[v]); end++ {
		if !c.allowed(v, i, end, p.j.room[v]) || c.floorPS(v, i, end) > p.limit {
			continue
		}
		out = append(out, use{int32(end), parts(c.stagePS(v, i, end), p.limit), parts(c.need(v, i, end), p.j.room[v])})
	}
	return out
}

// addMove adds the transfer of cut i from u to v: between stages, from the gateway
// for cut 0, to it for the last.
func (p *jointPricing) addMove(t *chainPrices, i, u, v int) {
	c, n := t.c, p.j.n
	inner := i > 0 && i < c.m.end
	if u == v || !inner && (i == 0 && u != c.gate || i == c.m.end && v != c.gate) {
		return
	}
	h := &c.hops[u*n+v]
	if !h.up || bytesPS(c.m.bytes[i], h.rate) > p.limit {
		return
	}
	at := i*n*n + u*n + v
	t.up[at] = true
	for _, part := range h.parts {
		if x := parts(bytesPS(c.m.bytes[i], part.rate), p.limit); part.net < p.shared() && x > 0 {
			t.moves[at] = append(t.moves[at], moveUse{int32(part.net), x})
		}
	}
}
