package solver

// Sums are times that add up over a whole placement: those of each shared
// network, and what several transfers of the gateway share. Every other node has
// one transfer in and one out, so its interfaces only slow these down; the
// gateway also sends cut 0, receives cut L, and may hold any stage.

// load says what a transfer adds to a sum.
type load struct {
	net  int
	rate float64 // ps per byte
}

// gatewaySums are the numbers of the gateway's sums; -1 where there is none.
type gatewaySums struct {
	node    int // the gateway
	out, in int // its interface, where that has a rate
	busy    int // the node itself, without overlap
}

func (m *model) addGatewaySums() {
	m.own = gatewaySums{-1, -1, -1, -1}
	if m.p.Gateway == nil {
		return
	}
	m.own.node = *m.p.Gateway
	next := func(to *int) { *to, m.nets = m.nets, m.nets+1 }
	node := m.p.Nodes[m.own.node]
	if node.SendBytesPerSecond > 0 {
		next(&m.own.out)
	}
	if node.ReceiveBytesPerSecond > 0 {
		next(&m.own.in)
	}
	if m.serial {
		next(&m.own.busy)
	}
}

// gatewayLoads are the loads of the gateway's sums by the link from u to v, which
// takes rate in all.
func (m *model) gatewayLoads(u, v int, rate float64) []load {
	var out []load
	if u == m.own.node && m.own.out >= 0 {
		out = append(out, load{m.own.out, linkRate(m.p.Nodes[u].SendBytesPerSecond)})
	}
	if v == m.own.node && m.own.in >= 0 {
		out = append(out, load{m.own.in, linkRate(m.p.Nodes[v].ReceiveBytesPerSecond)})
	}
	if (u == m.own.node || v == m.own.node) && m.own.busy >= 0 {
		out = append(out, load{m.own.busy, rate})
	}
	return out
}

// onNet is what a transfer of n bytes adds to a sum.
func (l *link) onNet(net int, n int64) int64 {
	if l.free {
		return 0
	}
	for _, x := range l.nets {
		if x.net == net {
			return bytesPS(n, x.rate)
		}
	}
	return 0
}

// onNet is what a stage adds to a sum by itself.
func (c *class) onNet(net int, ps int64) int64 {
	if net == c.sum {
		return ps
	}
	return 0
}

// add puts a transfer of n bytes onto the sums and gives the largest of those
// that it changed.
func (l *link) add(sums []int64, n int64) (largest int64) {
	if l.free {
		return 0
	}
	for _, x := range l.nets {
		sums[x.net] += bytesPS(n, x.rate)
		largest = max(largest, sums[x.net])
	}
	return largest
}

// fillTimes gives a class its times by position.
func (m *model) fillTimes(c *class, node *Node) {
	sums := prefixPS(node.SegmentSeconds)
	at := map[int]int{}
	for i, b := range m.cuts {
		c.time = append(c.time, sums[b])
		at[b] = i
	}
	for _, r := range node.RangeSeconds {
		i, first := at[r.First]
		j, last := at[r.Last+1]
		if !first || !last {
			continue // no stage is cut there
		}
		if c.ranges == nil {
			c.ranges = map[[2]int]int64{}
		}
		c.ranges[[2]int{i, j}] = toPS(r.Seconds)
	}
}

// fillWaits finds the least time that receiving and sending each cut takes.
func (m *model) fillWaits() {
	for d := range m.classes {
		k := &m.classes[d]
		k.in, k.out = make([]int64, m.end+1), make([]int64, m.end+1)
		for i := 1; i < m.end; i++ {
			into, from := never, never
			for c := range m.classes {
				if l := &m.links[c][d]; l.up {
					into = min(into, l.ps(m.bytes[i]))
				}
				if l := &m.links[d][c]; l.up {
					from = min(from, l.ps(m.bytes[i]))
				}
			}
			k.in[i], k.out[i] = into%never, from%never // without a link nothing is asked
		}
		k.in[0], k.out[m.end] = k.enter.ps(m.bytes[0]), k.leave.ps(m.bytes[m.end])
	}
}
