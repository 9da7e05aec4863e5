package solver

import (
	"math"
	"slices"
)

// model is a problem made ready for search: only the positions where a cut is
// allowed, only the nodes that may run a stage, nodes that nothing tells apart
// merged into classes, all times in picoseconds. Positions are numbered 0..end
// here; cuts gives where they are in the chain.
type model struct {
	p       *Problem
	cuts    []int    // position -> position in the chain
	bytes   []int64  // of the cut at each position
	end     int      // the last position
	sizes   []int64  // the different sizes of inner cuts, ascending
	rank    []int32  // [position]: where its size is among them
	upTo    []bitset // [number of sizes]: the positions of that many, the smallest first
	weight  []int64  // prefix sums of segment bytes by position
	live    [][]int64
	classes []class
	links   [][]link // by class; the diagonal joins two members of one class
	nets    int      // sums over a whole placement: shared networks, and see sums.go
	media   map[[2]int][]int
	own     gatewaySums
	serial  bool // a node does one thing at a time
	stages  int  // most stages that can be used
}

// class is a set of nodes that nothing tells apart.
type class struct {
	members []int // ascending
	room    int64 // memory without the base
	cpu     float64
	time    []int64          // prefix sums in ps by position
	stage   int64            // ps of every stage beside its segments
	ranges  map[[2]int]int64 // measured times by first and last position
	sum     int              // the sum that its stages add to, or -1
	// Without overlap: the least that receiving and sending the cut at each
	// position takes; nil otherwise.
	in, out []int64
	lacks   []int64 // prefix sums of bytes to move by position
	foreign []int32 // prefix counts of segments pinned to other nodes
	// enter and leave join it to the gateway; free when it is the gateway or
	// there is none.
	enter, leave link
}

// link joins two classes, one way.
type link struct {
	up   bool
	free bool    // the gateway to itself: no bytes move
	rate float64 // ps per byte, of the slowest of link and interfaces
	wait int64   // propagation, ps
	nets []load  // the sums that its transfers add to
}

// ps is the time that n bytes take.
func (l *link) ps(n int64) int64 {
	if l.free {
		return 0
	}
	return bytesPS(n, l.rate)
}

func newModel(p *Problem) *model {
	m := &model{p: p, cuts: p.cutPositions(), nets: len(p.Shared), media: p.media(), serial: p.serial()}
	m.addGatewaySums()
	m.end = len(m.cuts) - 1
	m.weight = m.prefix(func(s int) int64 { return p.SegmentBytes[s] })
	for _, b := range m.cuts {
		m.bytes = append(m.bytes, p.CutBytes[b])
	}
	m.fillSizes()
	m.fillLive()
	nodes := p.usableNodes()
	for _, members := range m.sameNodes(nodes) {
		m.classes = append(m.classes, m.newClass(members))
	}
	m.fillLinks()
	if m.serial {
		m.fillWaits()
	}
	m.stages = min(len(nodes), m.end)
	if p.MaxStages > 0 {
		m.stages = min(m.stages, p.MaxStages)
	}
	return m
}

// cutPositions are 0, the allowed inner positions ascending, and L.
func (p *Problem) cutPositions() []int {
	cuts := []int{0}
	if p.AllowedCuts == nil {
		for b := 1; b < p.Segments(); b++ {
			cuts = append(cuts, b)
		}
	}
	cuts = append(cuts, p.AllowedCuts...)
	cuts = append(cuts, p.Segments())
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

func (p *Problem) usableNodes() []int {
	var out []int
	for v := range p.Nodes {
		if !slices.Contains(p.ExcludedNodes, v) {
			out = append(out, v)
		}
	}
	return out
}

// prefix sums a value of each segment, by position.
func (m *model) prefix(of func(segment int) int64) []int64 {
	out := make([]int64, m.end+1)
	for i := 1; i <= m.end; i++ {
		out[i] = out[i-1]
		for s := m.cuts[i-1]; s < m.cuts[i]; s++ {
			out[i] += of(s)
		}
	}
	return out
}

// fillSizes orders the inner cuts by size. What a link may move within some time
// is then one number.
func (m *model) fillSizes() {
	m.sizes = slices.Clone(m.bytes[1:max(1, m.end)])
	slices.Sort(m.sizes)
	m.sizes = slices.Compact(m.sizes)
	m.rank = make([]int32, m.end+1)
	m.upTo = make([]bitset, len(m.sizes)+1)
	for k := range m.upTo {
		m.upTo[k] = make(bitset, words(m.end+1))
	}
	m.rank[0], m.rank[m.end] = math.MaxInt32, math.MaxInt32
	for i := 1; i < m.end; i++ {
		k, _ := slices.BinarySearch(m.sizes, m.bytes[i])
		m.rank[i] = int32(k)
		for _, set := range m.upTo[k+1:] {
			set.set(i)
		}
	}
}

// fillLive gives the largest activation between each two positions.
func (m *model) fillLive() {
	m.live = make([][]int64, m.end)
	if m.p.ActivationBytes == nil {
		return
	}
	for i := range m.live {
		m.live[i] = make([]int64, m.end+1)
		for j := i + 1; j <= m.end; j++ {
			m.live[i][j] = max(m.live[i][j-1], slices.Max(m.p.ActivationBytes[m.cuts[j-1]:m.cuts[j]]))
		}
	}
}

func (m *model) newClass(members []int) class {
	v := members[0]
	node := m.p.Nodes[v]
	c := class{members: members, stage: toPS(node.StageSeconds), room: node.MemoryBytes - node.BaseBytes, cpu: node.CPUSecondsPerByte * psPerSecond}
	m.fillTimes(&c, &node)
	if c.sum = -1; m.own.node == v {
		c.sum = m.own.busy
	}
	c.lacks = m.prefix(func(s int) int64 { return m.p.lacks(v, s) })
	foreign := make([]int32, m.p.Segments())
	for _, pin := range m.p.Pinned {
		if pin.Node != v {
			foreign[pin.Segment] = 1
		}
	}
	c.foreign = make([]int32, m.end+1)
	for i := 1; i <= m.end; i++ {
		c.foreign[i] = c.foreign[i-1]
		for _, x := range foreign[m.cuts[i-1]:m.cuts[i]] {
			c.foreign[i] += x
		}
	}
	if g := m.p.Gateway; g == nil || *g == v {
		c.enter, c.leave = link{up: true, free: true}, link{up: true, free: true}
	} else {
		c.enter, c.leave = m.newLink(*g, v), m.newLink(v, *g)
	}
	return c
}

func (m *model) newLink(u, v int) link {
	var l link
	band := m.p.Bandwidth[u][v]
	if band > 0 {
		l.up, l.rate = true, linkRate(band)
	}
	for _, net := range m.media[[2]int{u, v}] {
		l.nets = append(l.nets, load{net, l.rate})
	}
	if send := m.p.Nodes[u].SendBytesPerSecond; send > 0 {
		l.rate = max(l.rate, linkRate(send))
	}
	if receive := m.p.Nodes[v].ReceiveBytesPerSecond; receive > 0 {
		l.rate = max(l.rate, linkRate(receive))
	}
	l.nets = append(l.nets, m.gatewayLoads(u, v, l.rate)...)
	if m.p.Latency != nil {
		l.wait = toPS(m.p.Latency[u][v])
	}
	return l
}

func (m *model) fillLinks() {
	m.links = make([][]link, len(m.classes))
	for c := range m.classes {
		m.links[c] = make([]link, len(m.classes))
		for d := range m.classes {
			u, v := m.classes[c].members[0], m.classes[d].members[0]
			if c == d && len(m.classes[c].members) > 1 {
				v = m.classes[c].members[1]
			}
			if u != v {
				m.links[c][d] = m.newLink(u, v)
			}
		}
	}
}

// stagePS is how long a stage from position i to position j keeps a node of a
// class busy.
func (m *model) stagePS(c *class, i, j int) int64 {
	ps := c.stage + c.time[j] - c.time[i]
	if c.ranges != nil {
		if measured, ok := c.ranges[[2]int{i, j}]; ok {
			ps = measured
		}
	}
	if c.cpu == 0 {
		return ps
	}
	var moved int64
	if i > 0 || !c.enter.free {
		moved += m.bytes[i]
	}
	if j < m.end || !c.leave.free {
		moved += m.bytes[j]
	}
	return ps + bytesPS(moved, c.cpu)
}

// need is the memory of a stage without the base of its node.
func (m *model) need(i, j int) int64 {
	n := m.weight[j] - m.weight[i] + m.p.InBuffers*m.bytes[i] + m.p.OutBuffers*m.bytes[j]
	if m.live[i] != nil {
		n += m.live[i][j]
	}
	return n
}

// allowed says whether a stage may stand on a class, whatever it costs.
func (m *model) allowed(c *class, i, j int) bool {
	return c.foreign[j] == c.foreign[i] && (i > 0 || c.enter.up) && (j < m.end || c.leave.up) && m.need(i, j) <= c.room
}

// tooLong says that a stage from i takes longer than a limit, wherever it ends
// from j on. Measured times need not grow with the stage.
func (c *class) tooLong(i, j int, limit int64) bool {
	return c.ranges == nil && c.stage+c.time[j]-c.time[i] > limit
}

// peakPS is the busiest of a stage's node and its gateway transfers, at least.
func (m *model) peakPS(c *class, i, j int) int64 {
	ps := m.stagePS(c, i, j)
	if m.serial {
		return ps + c.in[i] + c.out[j]
	}
	if i == 0 {
		ps = max(ps, c.enter.ps(m.bytes[0]))
	}
	if j == m.end {
		ps = max(ps, c.leave.ps(m.bytes[m.end]))
	}
	return ps
}
