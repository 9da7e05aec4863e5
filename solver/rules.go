package solver

import "slices"

// checkRules checks everything about a placement that needs no cost: shape,
// nodes, cuts, pins and the number of stages.
func (p *Problem) checkRules(stages []Placed) error {
	if len(stages) == 0 {
		return broken(RuleCoverage, 0, 0, 0, "the placement has no stages")
	}
	next, used := 0, map[int]int{}
	for k, s := range stages {
		if s.Node < 0 || s.Node >= len(p.Nodes) {
			return broken(RuleOnce, k, s.Node, 0, "node %d does not exist", s.Node)
		}
		if s.FirstSegment != next || s.LastSegment < next || s.LastSegment >= p.Segments() {
			return broken(RuleCoverage, k, s.Node, 0, "has segments %d to %d; segment %d comes next, and the last is %d",
				s.FirstSegment, s.LastSegment, next, p.Segments()-1)
		}
		if other, twice := used[s.Node]; twice {
			return broken(RuleOnce, k, s.Node, 0, "%s already holds stage %d; a node holds at most one", p.nodeName(s.Node), other)
		}
		used[s.Node] = k
		if err := p.checkStageRules(k, s); err != nil {
			return err
		}
		next = s.LastSegment + 1
	}
	if next != p.Segments() {
		return broken(RuleCoverage, len(stages)-1, stages[len(stages)-1].Node, 0,
			"is the last and ends at segment %d; the chain ends at %d", next-1, p.Segments()-1)
	}
	if over := len(stages) - p.MaxStages; p.MaxStages > 0 && over > 0 {
		return broken(RuleStages, p.MaxStages, stages[p.MaxStages].Node, int64(over),
			"%d stages are %d more than max_stages allows", len(stages), over)
	}
	return nil
}

func (p *Problem) checkStageRules(k int, s Placed) error {
	if slices.Contains(p.ExcludedNodes, s.Node) {
		return broken(RuleExcluded, k, s.Node, 0, "%s is excluded", p.nodeName(s.Node))
	}
	if k > 0 && p.AllowedCuts != nil && !slices.Contains(p.AllowedCuts, s.FirstSegment) {
		return broken(RuleCut, k, s.Node, 0, "starts at position %d, where no cut is allowed", s.FirstSegment)
	}
	for _, pin := range p.Pinned {
		if pin.Segment >= s.FirstSegment && pin.Segment <= s.LastSegment && pin.Node != s.Node {
			return broken(RulePin, k, s.Node, 0, "%s is pinned to %s, not to %s",
				p.segmentName(pin.Segment), p.nodeName(pin.Node), p.nodeName(s.Node))
		}
	}
	return nil
}
