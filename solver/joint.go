package solver

// The joint search places several models on one cluster at once. Here is what its
// parts share: the models at their required rates, and the resources, numbered
// through, that the models load together.

// joint is a problem with models made ready for search.
type joint struct {
	p         *Problem
	n         int     // nodes
	room      []int64 // memory of each node
	resources int
	chains    []*chain
	twins     []int // [node] the first node that nothing tells it apart from
}

// chain is one model at its required rate.
type chain struct {
	k      int // the model
	m      *model
	of     []int // [node] its class in m, -1 where no stage may run
	base   []int64
	gate   int   // the gateway, or -1
	hops   []hop // [from*n+to]
	shares []int // resources that several stages or transfers of the chain may load
	share  []int // [resource] where it is in shares, or -1
}

// hop is the way from one node to another.
type hop struct {
	up    bool
	rate  float64 // ps per byte of the whole transfer
	wait  int64   // propagation, ps
	parts []load  // what a transfer keeps busy; net is the number of a resource
}

// stop is one stage of a chain: it starts where the one before ends.
type stop struct{ node, end int }

// The numbers of the resources. Node v is v.
func (j *joint) out(v int) int     { return j.n + v }
func (j *joint) in(v int) int      { return 2*j.n + v }
func (j *joint) network(k int) int { return 3*j.n + k }
func (j *joint) link(u, v int) int { return 3*j.n + len(j.p.Shared) + u*j.n + v }

func newJoint(p *Problem) *joint {
	j := &joint{p: p, n: len(p.Nodes)}
	j.resources = j.link(j.n, 0)
	for _, node := range p.Nodes {
		j.room = append(j.room, node.MemoryBytes)
	}
	for k := range p.Models {
		j.chains = append(j.chains, j.newChain(k))
	}
	j.findTwins()
	return j
}

func (j *joint) newChain(k int) *chain {
	view := j.p.scaled(k)
	c := &chain{k: k, m: newModel(view), gate: -1}
	if view.Gateway != nil {
		c.gate = *view.Gateway
	}
	for v, node := range view.Nodes {
		c.of = append(c.of, c.m.classOf(v))
		c.base = append(c.base, node.BaseBytes)
	}
	c.hops = make([]hop, j.n*j.n)
	for u := range j.n {
		for v := range j.n {
			if u != v {
				c.hops[u*j.n+v] = j.newHop(view, c.m.media[[2]int{u, v}], u, v)
			}
		}
	}
	j.findShares(c)
	return c
}

func (j *joint) newHop(view *Problem, media []int, u, v int) hop {
	band := view.Bandwidth[u][v]
	if band <= 0 {
		return hop{}
	}
	h := hop{up: true, rate: linkRate(band)}
	for _, k := range media {
		h.parts = append(h.parts, load{j.network(k), h.rate})
	}
	if len(media) == 0 {
		h.parts = append(h.parts, load{j.link(u, v), h.rate})
	}
	if rate := view.Nodes[u].SendBytesPerSecond; rate > 0 {
		h.parts = append(h.parts, load{j.out(u), linkRate(rate)})
		h.rate = max(h.rate, linkRate(rate))
	}
	if rate := view.Nodes[v].ReceiveBytesPerSecond; rate > 0 {
		h.parts = append(h.parts, load{j.in(v), linkRate(rate)})
		h.rate = max(h.rate, linkRate(rate))
	}
	if view.serial() {
		h.parts = append(h.parts, load{u, h.rate}, load{v, h.rate})
	}
	if view.Latency != nil {
		h.wait = toPS(view.Latency[u][v])
	}
	return h
}

// findShares lists what a chain may load more than once: the networks, and the
// gateway, which also sends cut 0 and receives cut L.
func (j *joint) findShares(c *chain) {
	for k := range j.p.Shared {
		c.shares = append(c.shares, j.network(k))
	}
	if c.gate >= 0 {
		node := j.p.Nodes[c.gate]
		add := func(r int, ok bool) {
			if ok {
				c.shares = append(c.shares, r)
			}
		}
		add(j.out(c.gate), node.SendBytesPerSecond > 0)
		add(j.in(c.gate), node.ReceiveBytesPerSecond > 0)
		add(c.gate, c.m.serial)
	}
	c.share = make([]int, j.resources)
	for r := range c.share {
		c.share[r] = -1
	}
	for i, r := range c.shares {
		c.share[r] = i
	}
}

// findTwins finds the nodes that are of one class in every model. A node that runs
// nothing yet may then stand for its twins that run nothing.
func (j *joint) findTwins() {
	for v := range j.n {
		first := v
		for u := range v {
			if j.alike(u, v) {
				first = u
				break
			}
		}
		j.twins = append(j.twins, first)
	}
}

func (j *joint) alike(u, v int) bool {
	if j.room[u] != j.room[v] {
		return false
	}
	for _, c := range j.chains {
		if c.of[u] != c.of[v] || c.of[u] < 0 || c.base[u] != c.base[v] {
			return false
		}
	}
	return true
}

// hop is the way into a stage on v: from node u, or for the first stage, u = -1, from
// the gateway. Nil is none needed: there is no gateway, or it is v.
func (c *chain) hop(u, v int) *hop {
	if u < 0 {
		u = c.gate
	}
	if u < 0 || u == v {
		return nil
	}
	return &c.hops[u*len(c.of)+v]
}

// last is the way out of the last stage, on v; nil when none is needed.
func (c *chain) last(v int) *hop {
	if c.gate < 0 || c.gate == v {
		return nil
	}
	return &c.hops[v*len(c.of)+c.gate]
}

// need is the memory of a stage on v, the base included.
func (c *chain) need(v, i, end int) int64 { return c.base[v] + c.m.need(i, end) }

// stagePS is how long a stage keeps its node busy, without transfers.
func (c *chain) stagePS(v, i, end int) int64 { return c.m.stagePS(&c.m.classes[c.of[v]], i, end) }

// allowed says whether a stage may stand on v when v has that much memory free.
func (c *chain) allowed(v, i, end int, free int64) bool {
	return c.of[v] >= 0 && c.need(v, i, end) <= free && c.m.allowed(&c.m.classes[c.of[v]], i, end)
}

// floorPS is how long a stage keeps its node busy at least, transfers included where
// the node does one thing at a time.
func (c *chain) floorPS(v, i, end int) int64 {
	ps := c.stagePS(v, i, end)
	if c.m.serial {
		k := &c.m.classes[c.of[v]]
		ps += k.in[i] + k.out[end]
	}
	return ps
}

// tooLong says that a stage of v from i is beyond a limit of time or memory, wherever
// it ends from end on.
func (c *chain) tooLong(v, i, end int, limit, free int64) bool {
	return c.m.classes[c.of[v]].tooLong(i, end, limit) || c.base[v]+c.m.weight[end]-c.m.weight[i] > free
}
