package solver

import (
	"cmp"
	"fmt"
	"slices"
)

// Evaluate is the one definition of what a placement costs. It reads the
// problem as it is declared and shares nothing with the searches but the
// rounding of times, so it also checks them.
//
// A stage keeps its node busy for the time of its segments, the node's time for
// every stage, and its time per byte for every byte that reaches or leaves the stage over a link. Moving
// a cut takes its bytes over the bandwidth of the link and keeps busy the link,
// or every shared network that has it, and, at their own rates, the interfaces
// that send and receive it. The transfer lasts as long as the slowest of the link
// and the interfaces needs. Without overlap the nodes at both ends are busy for
// all of it, and their times add up; a gateway counts as a node, whether it has a
// stage or not. Cut 0 starts at the gateway and cut L
// ends there; both are free where the end stage sits on the gateway, or when
// there is none. The bottleneck is the busiest resource, the first of them in
// the order of Cost.Resources.
//
// A placement that breaks a rule gets a *PlacementError, an invalid problem the
// error of Validate. Several models run at once: EvaluateModels adds up what each
// of them costs.
func Evaluate(p *Problem, stages []Placed) (*Cost, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if p.Models != nil {
		return nil, fmt.Errorf("the problem has %d models, which need a placement each", len(p.Models))
	}
	return p.evaluate(stages)
}

// evaluate is Evaluate for a problem that is known to be valid.
func (p *Problem) evaluate(stages []Placed) (*Cost, error) {
	e, err := p.evaluated(stages)
	if err != nil {
		return nil, err
	}
	return e.cost, nil
}

// evaluated is the whole evaluation.
func (p *Problem) evaluated(stages []Placed) (*evaluation, error) {
	if err := p.checkRules(stages); err != nil {
		return nil, err
	}
	e := &evaluation{p: p, stages: stages, media: p.media(), cost: &Cost{}}
	for k := range stages {
		if err := e.memory(k); err != nil {
			return nil, err
		}
	}
	if err := e.transfers(); err != nil {
		return nil, err
	}
	for k := range stages {
		e.stage(k)
	}
	e.resources()
	e.cost.LatencySeconds = toSeconds(e.latency)
	return e, nil
}

// evaluation is one run of Evaluate.
type evaluation struct {
	p       *Problem
	stages  []Placed
	media   map[[2]int][]int
	cost    *Cost
	moved   []int64 // bytes over links in and out of each stage
	busy    []resourceTime
	latency int64
}

// resourceTime is a resource with its time in picoseconds.
type resourceTime struct {
	kind     ResourceKind
	from, to int
	ps       int64
}

func (e *evaluation) memory(k int) error {
	s := e.stages[k]
	need := e.p.stageBytes(s)
	e.cost.Stages = append(e.cost.Stages, StageCost{MemoryBytes: need})
	node := e.p.Nodes[s.Node]
	if over := need - node.MemoryBytes; over > 0 {
		return broken(RuleMemory, k, s.Node, over, "needs %s on %s, which allows %s: %s too much",
			mebibytes(need), e.p.nodeName(s.Node), mebibytes(node.MemoryBytes), mebibytes(over))
	}
	return nil
}

// stageBytes is the memory that a stage needs, the base of its node included.
func (p *Problem) stageBytes(s Placed) int64 {
	need := p.Nodes[s.Node].BaseBytes
	var live int64
	for b := s.FirstSegment; b <= s.LastSegment; b++ {
		need += p.SegmentBytes[b]
		if p.ActivationBytes != nil {
			live = max(live, p.ActivationBytes[b])
		}
	}
	return need + live + p.InBuffers*p.CutBytes[s.FirstSegment] + p.OutBuffers*p.CutBytes[s.LastSegment+1]
}

func (e *evaluation) transfers() error {
	e.moved = make([]int64, len(e.stages))
	last := len(e.stages) - 1
	if g := e.p.Gateway; g != nil && *g != e.stages[0].Node {
		if err := e.transfer(0, *g, e.stages[0].Node, -1, 0); err != nil {
			return err
		}
	}
	for k := 1; k <= last; k++ {
		if err := e.transfer(e.stages[k].FirstSegment, e.stages[k-1].Node, e.stages[k].Node, k-1, k); err != nil {
			return err
		}
	}
	if g := e.p.Gateway; g != nil && *g != e.stages[last].Node {
		return e.transfer(e.p.Segments(), e.stages[last].Node, *g, last, -1)
	}
	return nil
}

// transfer moves a cut between two stages; -1 is the gateway.
func (e *evaluation) transfer(cut, from, to, sender, receiver int) error {
	band := e.p.Bandwidth[from][to]
	if band <= 0 {
		return broken(RuleLink, max(receiver, sender), from, 0, "there is no link from %s to %s for cut %d",
			e.p.nodeName(from), e.p.nodeName(to), cut)
	}
	n := e.p.CutBytes[cut]
	ps := e.interfaces(n, from, to, bytesPS(n, linkRate(band)))
	t := Transfer{Cut: cut, From: from, To: to, Bytes: n, Seconds: toSeconds(ps)}
	if e.p.Latency != nil {
		t.Latency = e.p.Latency[from][to]
	}
	e.cost.Transfers = append(e.cost.Transfers, t)
	e.latency += ps + toPS(t.Latency)
	for _, k := range []int{sender, receiver} {
		if k >= 0 {
			e.moved[k] += n
		}
	}
	if e.p.serial() {
		e.occupy(NodeResource, from, 0, ps)
		e.occupy(NodeResource, to, 0, ps)
	}
	ps = bytesPS(n, linkRate(band))
	shared := e.media[[2]int{from, to}]
	for _, m := range shared {
		e.occupy(NetworkResource, m, 0, ps)
	}
	if len(shared) == 0 {
		e.occupy(LinkResource, from, to, ps)
	}
	return nil
}

// interfaces keeps the interfaces at both ends of a transfer busy, and gives the
// time of the transfer, which takes ps over its link.
func (e *evaluation) interfaces(n int64, from, to int, ps int64) int64 {
	if rate := e.p.Nodes[from].SendBytesPerSecond; rate > 0 {
		out := bytesPS(n, linkRate(rate))
		e.occupy(InterfaceResource, from, InterfaceOut, out)
		ps = max(ps, out)
	}
	if rate := e.p.Nodes[to].ReceiveBytesPerSecond; rate > 0 {
		in := bytesPS(n, linkRate(rate))
		e.occupy(InterfaceResource, to, InterfaceIn, in)
		ps = max(ps, in)
	}
	return ps
}

// media gives the shared networks of each pair that has some, ascending.
func (p *Problem) media() map[[2]int][]int {
	out := map[[2]int][]int{}
	for m, s := range p.Shared {
		for _, pair := range s.Pairs {
			out[pair] = append(out[pair], m)
		}
	}
	return out
}

func (e *evaluation) stage(k int) {
	s := e.stages[k]
	node := e.p.Nodes[s.Node]
	ps := node.rangePS(s) + bytesPS(e.moved[k], node.CPUSecondsPerByte*psPerSecond)
	e.cost.Stages[k].Seconds = toSeconds(ps)
	e.latency += ps
	e.occupy(NodeResource, s.Node, 0, ps)
	for b := s.FirstSegment; b <= s.LastSegment; b++ {
		e.cost.MovedBytes += e.p.lacks(s.Node, b)
	}
}

// rangePS is the compute time of a stage.
func (n *Node) rangePS(s Placed) int64 {
	for _, r := range n.RangeSeconds {
		if r.First == s.FirstSegment && r.Last == s.LastSegment {
			return toPS(r.Seconds)
		}
	}
	sums := prefixPS(n.SegmentSeconds)
	return toPS(n.StageSeconds) + sums[s.LastSegment+1] - sums[s.FirstSegment]
}

// lacks is how many bytes of a segment a node does not hold.
func (p *Problem) lacks(node, segment int) int64 {
	if p.HeldBytes == nil || p.HeldBytes[node] == nil {
		return p.SegmentBytes[segment]
	}
	return max(0, p.SegmentBytes[segment]-p.HeldBytes[node][segment])
}

func (e *evaluation) occupy(kind ResourceKind, from, to int, ps int64) {
	for i, r := range e.busy {
		if r.kind == kind && r.from == from && r.to == to {
			e.busy[i].ps += ps
			return
		}
	}
	e.busy = append(e.busy, resourceTime{kind, from, to, ps})
}

// resources puts the busy resources in order and names the bottleneck.
func (e *evaluation) resources() {
	rank := map[ResourceKind]int{NodeResource: 0, LinkResource: 1, NetworkResource: 2, InterfaceResource: 3}
	slices.SortFunc(e.busy, func(a, b resourceTime) int {
		return cmp.Or(cmp.Compare(rank[a.kind], rank[b.kind]), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for _, r := range e.busy {
		res := Resource{Kind: r.kind, From: r.from, To: r.to, Seconds: toSeconds(r.ps)}
		e.cost.Resources = append(e.cost.Resources, res)
		if len(e.cost.Resources) == 1 || res.Seconds > e.cost.Bottleneck.Seconds {
			e.cost.Bottleneck = res
		}
	}
	e.cost.BottleneckSeconds = e.cost.Bottleneck.Seconds
}
