package solver

import "slices"

// rules checks the placement against every rule but the links, which walk meets
// on its way, and notes the memory that each stage needs.
func (a *audit) rules() error {
	if len(a.stages) == 0 {
		return broken(RuleCoverage, 0, 0, 0, "there are no stages")
	}
	if n := len(a.stages); a.p.MaxStages > 0 && n > a.p.MaxStages {
		return broken(RuleStages, n-1, 0, int64(n-a.p.MaxStages), "there are %d stages; max_stages is %d", n, a.p.MaxStages)
	}
	if err := a.coverage(); err != nil {
		return err
	}
	for k, s := range a.stages {
		for _, check := range []func(int, Placed) error{a.node, a.start, a.pins, a.fits} {
			if err := check(k, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// coverage wants every segment in exactly one stage, in order.
func (a *audit) coverage() error {
	covered := 0
	for k, s := range a.stages {
		switch {
		case s.FirstSegment > covered:
			return broken(RuleCoverage, k, s.Node, 0, "segment %d is in no stage", covered)
		case s.FirstSegment < covered:
			return broken(RuleCoverage, k, s.Node, 0, "segment %d is in two stages, or out of order", s.FirstSegment)
		case s.LastSegment < s.FirstSegment:
			return broken(RuleCoverage, k, s.Node, 0, "ends at segment %d, before it starts at %d", s.LastSegment, s.FirstSegment)
		}
		covered = s.LastSegment + 1
	}
	if last := len(a.stages) - 1; covered != a.p.Segments() {
		return broken(RuleCoverage, last, a.stages[last].Node, 0, "the stages end at segment %d; the last of the chain is %d", covered-1, a.p.Segments()-1)
	}
	return nil
}

func (a *audit) node(k int, s Placed) error {
	if s.Node < 0 || s.Node >= len(a.p.Nodes) {
		return broken(RuleOnce, k, s.Node, 0, "there is no node %d", s.Node)
	}
	if slices.Contains(a.p.ExcludedNodes, s.Node) {
		return broken(RuleExcluded, k, s.Node, 0, "runs on %s, an excluded node", a.p.nodeName(s.Node))
	}
	for j := range k {
		if a.stages[j].Node == s.Node {
			return broken(RuleOnce, k, s.Node, 0, "runs on %s, and so does stage %d", a.p.nodeName(s.Node), j)
		}
	}
	return nil
}

func (a *audit) start(k int, s Placed) error {
	if k > 0 && a.p.AllowedCuts != nil && !slices.Contains(a.p.AllowedCuts, s.FirstSegment) {
		return broken(RuleCut, k, s.Node, 0, "position %d before it is no allowed cut", s.FirstSegment)
	}
	return nil
}

func (a *audit) pins(k int, s Placed) error {
	for _, pin := range a.p.Pinned {
		if s.FirstSegment <= pin.Segment && pin.Segment <= s.LastSegment && s.Node != pin.Node {
			return broken(RulePin, k, s.Node, 0, "takes %s to %s; it is pinned to %s",
				a.p.segmentName(pin.Segment), a.p.nodeName(s.Node), a.p.nodeName(pin.Node))
		}
	}
	return nil
}

// fits adds up base, segments, the largest activation, and the buffers.
func (a *audit) fits(k int, s Placed) error {
	node := a.p.Nodes[s.Node]
	need, live := node.BaseBytes, int64(0)
	for b := s.FirstSegment; b <= s.LastSegment; b++ {
		need += a.p.SegmentBytes[b]
	}
	if a.p.ActivationBytes != nil {
		live = slices.Max(a.p.ActivationBytes[s.FirstSegment : s.LastSegment+1])
	}
	need += live + a.p.InBuffers*a.p.CutBytes[s.FirstSegment] + a.p.OutBuffers*a.p.CutBytes[s.LastSegment+1]
	a.memory = append(a.memory, need)
	if need > node.MemoryBytes {
		return broken(RuleMemory, k, s.Node, need-node.MemoryBytes, "needs %d bytes; %s allows %d", need, a.p.nodeName(s.Node), node.MemoryBytes)
	}
	return nil
}
