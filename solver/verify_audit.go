package solver

import (
	"math/big"
	"slices"
)

// audit works the cost of a placement out again, as the problem file defines it
// and in rational numbers: no time is rounded, and no code of Evaluate or of a
// search is called. Byte counts are integers that Validate keeps below 2^62.
type audit struct {
	p         *Problem
	stages    []Placed
	memory    []int64
	transfers []auditedTransfer
	computes  []exact            // by stage
	busy      map[Resource]exact // by resource, its Seconds left 0
	latency   exact
	moved     int64
}

// exact is a sum of times, and how many roundings to a picosecond a computation
// in whole picoseconds may do on the way to it.
type exact struct {
	seconds   *big.Rat
	roundings int64
}

type auditedTransfer struct {
	Transfer // its Seconds and Latency left 0
	seconds  exact
	latency  float64
}

func newAudit(p *Problem, stages []Placed) *audit {
	return &audit{p: p, stages: stages, busy: map[Resource]exact{}, latency: nothing()}
}

func nothing() exact { return exact{seconds: new(big.Rat)} }

func (e exact) plus(o exact) exact {
	return exact{new(big.Rat).Add(e.seconds, o.seconds), e.roundings + o.roundings}
}

// longest keeps the roundings of both, since either may come out as the longer.
func (e exact) longest(o exact) exact {
	n := max(e.roundings, o.roundings)
	if e.seconds.Cmp(o.seconds) >= 0 {
		return exact{e.seconds, n}
	}
	return exact{o.seconds, n}
}

// overRate is the time of some bytes at bytes per second.
func overRate(n int64, rate float64) exact {
	return exact{new(big.Rat).Quo(new(big.Rat).SetInt64(n), new(big.Rat).SetFloat64(rate)), 1}
}

func (a *audit) occupy(r Resource, t exact) {
	if old, ok := a.busy[r]; ok {
		t = t.plus(old)
	}
	a.busy[r] = t
}

// walk follows one inference through the pipeline. It fails where a link is
// missing.
func (a *audit) walk() error {
	first, last, g := a.stages[0], a.stages[len(a.stages)-1], a.p.Gateway
	bytes := make([]int64, len(a.stages)) // over links, in and out of each stage
	if g != nil && *g != first.Node {
		if err := a.carry(0, *g, first.Node, 0); err != nil {
			return err
		}
		bytes[0] += a.p.CutBytes[0]
	}
	for k := 1; k < len(a.stages); k++ {
		cut := a.stages[k].FirstSegment
		if err := a.carry(cut, a.stages[k-1].Node, a.stages[k].Node, k); err != nil {
			return err
		}
		bytes[k-1] += a.p.CutBytes[cut]
		bytes[k] += a.p.CutBytes[cut]
	}
	if end := a.p.Segments(); g != nil && *g != last.Node {
		if err := a.carry(end, last.Node, *g, len(a.stages)-1); err != nil {
			return err
		}
		bytes[len(bytes)-1] += a.p.CutBytes[end]
	}
	for k, s := range a.stages {
		a.compute(s, bytes[k])
	}
	return nil
}

// carry moves a cut over the link between two nodes.
func (a *audit) carry(cut, from, to, stage int) error {
	band := a.p.Bandwidth[from][to]
	if band == 0 {
		return broken(RuleLink, stage, from, 0, "%s is not connected to %s, which takes cut %d from it", a.p.nodeName(from), a.p.nodeName(to), cut)
	}
	n := a.p.CutBytes[cut]
	wire := overRate(n, band)
	whole := wire
	if rate := a.p.Nodes[from].SendBytesPerSecond; rate > 0 {
		out := overRate(n, rate)
		a.occupy(Resource{Kind: InterfaceResource, From: from, To: InterfaceOut}, out)
		whole = whole.longest(out)
	}
	if rate := a.p.Nodes[to].ReceiveBytesPerSecond; rate > 0 {
		in := overRate(n, rate)
		a.occupy(Resource{Kind: InterfaceResource, From: to, To: InterfaceIn}, in)
		whole = whole.longest(in)
	}
	a.occupyWire(from, to, wire)
	if a.p.Overlap != nil && !*a.p.Overlap {
		a.occupy(Resource{Kind: NodeResource, From: from}, whole)
		a.occupy(Resource{Kind: NodeResource, From: to}, whole)
	}
	t := auditedTransfer{Transfer: Transfer{Cut: cut, From: from, To: to, Bytes: n}, seconds: whole}
	if a.p.Latency != nil {
		t.latency = a.p.Latency[from][to]
	}
	a.transfers = append(a.transfers, t)
	a.latency = a.latency.plus(whole).plus(exact{new(big.Rat).SetFloat64(t.latency), 1})
	return nil
}

// occupyWire keeps the link busy, or every shared network that has it.
func (a *audit) occupyWire(from, to int, t exact) {
	alone := true
	for k, shared := range a.p.Shared {
		if slices.Contains(shared.Pairs, [2]int{from, to}) {
			a.occupy(Resource{Kind: NetworkResource, From: k}, t)
			alone = false
		}
	}
	if alone {
		a.occupy(Resource{Kind: LinkResource, From: from, To: to}, t)
	}
}

// compute runs a stage that sends and receives some bytes.
func (a *audit) compute(s Placed, bytes int64) {
	node := &a.p.Nodes[s.Node]
	t := exact{new(big.Rat).SetFloat64(node.StageSeconds), 2}
	for _, seconds := range node.SegmentSeconds[s.FirstSegment : s.LastSegment+1] {
		t.seconds.Add(t.seconds, new(big.Rat).SetFloat64(seconds))
	}
	for _, r := range node.RangeSeconds {
		if r.First == s.FirstSegment && r.Last == s.LastSegment {
			t.seconds.SetFloat64(r.Seconds)
		}
	}
	cpu := new(big.Rat).SetFloat64(node.CPUSecondsPerByte)
	t = t.plus(exact{cpu.Mul(cpu, new(big.Rat).SetInt64(bytes)), 1})
	a.computes = append(a.computes, t)
	a.occupy(Resource{Kind: NodeResource, From: s.Node}, t)
	a.latency = a.latency.plus(t)
	for b := s.FirstSegment; b <= s.LastSegment; b++ {
		a.moved += a.p.SegmentBytes[b] - a.held(s.Node, b)
	}
}

// held is how much of a segment a node has, at most all of it.
func (a *audit) held(node, segment int) int64 {
	if a.p.HeldBytes == nil || a.p.HeldBytes[node] == nil {
		return 0
	}
	return min(a.p.HeldBytes[node][segment], a.p.SegmentBytes[segment])
}
