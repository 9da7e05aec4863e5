package solver

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// audited is a problem with every rule and kind of resource, and its solution:
// segment 0 on hall, 1 and 2 on roof, the gateway apart, one pair on a radio.
func audited(t *testing.T) (*Problem, *Solution) {
	g := 0
	p := &Problem{
		CutBytes: []int64{100, 20, 30, 20}, SegmentBytes: []int64{50, 60, 70}, ActivationBytes: []int64{5, 6, 7},
		InBuffers: 2, OutBuffers: 1, Gateway: &g,
		Nodes: []Node{
			{Name: "gate", MemoryBytes: 40, SegmentSeconds: []float64{1, 1, 1}, SendBytesPerSecond: 40},
			{Name: "hall", MemoryBytes: 290, BaseBytes: 10, SegmentSeconds: []float64{2, 2, 2}, CPUSecondsPerByte: 0.01},
			{Name: "roof", MemoryBytes: 400, SegmentSeconds: []float64{1, 1, 1}, ReceiveBytesPerSecond: 15},
			{Name: "shed", MemoryBytes: 400, SegmentSeconds: []float64{1, 1, 1}},
		},
		Bandwidth: [][]float64{{0, 30, 30, 30}, {30, 0, 30, 0}, {30, 30, 0, 30}, {30, 30, 30, 0}},
		Latency:   [][]float64{{0, .1, .1, .1}, {.1, 0, .1, .1}, {.1, .1, 0, .1}, {.1, .1, .1, 0}},
		Shared:    []Shared{{Name: "wifi", Pairs: [][2]int{{0, 1}, {2, 0}}}},
		Pinned:    []Pin{{0, 1}}, ExcludedNodes: []int{0}, MaxStages: 2, AllowedCuts: []int{1},
		HeldBytes: [][]int64{nil, {50, 0, 0}, {0, 90, 0}, nil},
	}
	s := solve(t, p, Options{})
	if want := []Placed{{1, 0, 0}, {2, 1, 2}}; !slices.Equal(s.Stages, want) || s.Status != Optimal {
		t.Fatalf("%s: %v", s.Status, s.Stages)
	}
	return p, s
}

// Each corruption of a valid solution is refused with a sentence of its own.
func TestVerifyRefuses(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct {
		name   string
		change func(*Problem, *Solution)
		want   string
	}{
		{"negative bound", func(_ *Problem, s *Solution) { s.LowerBoundSeconds = -1 }, "the lower bound, -1 s, is no time"},
		{"bound above the cost", func(_ *Problem, s *Solution) { s.LowerBoundSeconds += 1e-12 }, "exceeds the cost"},
		{"not proven", func(_ *Problem, s *Solution) { s.LowerBoundSeconds -= 1e-12 }, "status optimal, but the lower bound, 3.999999999999 s, does not meet the cost"},
		{"no status", func(_ *Problem, s *Solution) { s.Status = "" }, `status "" is none of`},
		{"infeasible with stages", func(_ *Problem, s *Solution) { s.Status = Infeasible }, "status infeasible, but there is a placement of 2 stages"},
		{"unknown with a cost", func(_ *Problem, s *Solution) { s.Status, s.Stages = Unknown, nil }, "status unknown, but there is a cost"},
		{"infeasible without a reason", func(_ *Problem, s *Solution) { *s = Solution{Status: Infeasible} }, "status infeasible without a reason"},
		{"infeasible, and the start fits", func(p *Problem, s *Solution) {
			p.Start = s.Stages
			*s = Solution{Status: Infeasible, Reason: "none"}
		}, "but the start placement of the problem fits"},
		{"no stages", func(_ *Problem, s *Solution) { s.Stages = nil }, "there are no stages"},
		{"a gap", func(_ *Problem, s *Solution) { s.Stages[1].FirstSegment = 2 }, "segment 1 is in no stage"},
		{"an overlap", func(_ *Problem, s *Solution) { s.Stages[1].FirstSegment = 0 }, "segment 0 is in two stages"},
		{"backwards", func(_ *Problem, s *Solution) { s.Stages[0].LastSegment = -1 }, "ends at segment -1, before it starts at 0"},
		{"end missing", func(_ *Problem, s *Solution) { s.Stages[1].LastSegment = 1 }, "the stages end at segment 1; the last of the chain is 2"},
		{"beyond the end", func(_ *Problem, s *Solution) { s.Stages[1].LastSegment = 7 }, "the stages end at segment 7"},
		{"unknown node", func(_ *Problem, s *Solution) { s.Stages[1].Node = 4 }, "there is no node 4"},
		{"node twice", func(_ *Problem, s *Solution) { s.Stages[1].Node = 1 }, "runs on hall, and so does stage 0"},
		{"excluded node", func(p *Problem, _ *Solution) { p.ExcludedNodes = []int{1} }, "runs on hall, an excluded node"},
		{"cut not allowed", func(p *Problem, _ *Solution) { p.AllowedCuts = []int{2} }, "position 1 before it is no allowed cut"},
		{"pin broken", func(p *Problem, _ *Solution) { p.Pinned = []Pin{{2, 3}} }, "takes segment 2 to roof; it is pinned to shed"},
		{"too many stages", func(p *Problem, _ *Solution) { p.MaxStages = 1 }, "there are 2 stages; max_stages is 1"},
		{"memory", func(p *Problem, _ *Solution) { p.Nodes[1].MemoryBytes = 284 }, "needs 285 bytes; hall allows 284"},
		{"link missing", func(_ *Problem, s *Solution) { s.Stages[1].Node = 3 }, "hall is not connected to shed, which takes cut 1"},
		{"no cost", func(_ *Problem, s *Solution) { s.Cost = nil }, "the placement has no cost"},
		{"cost of a stage missing", func(_ *Problem, s *Solution) { s.Cost.Stages = s.Cost.Stages[1:] }, "there are 2 stages, and costs of 1"},
		{"memory of a stage", func(_ *Problem, s *Solution) { s.Cost.Stages[0].MemoryBytes-- }, "stage 0 needs 285 bytes of memory; the solution says 284"},
		{"time of a stage", func(_ *Problem, s *Solution) { s.Cost.Stages[0].Seconds += 1e-11 }, "stage 0 takes 3.2"},
		{"time that is none", func(_ *Problem, s *Solution) { s.Cost.Stages[1].Seconds = math.NaN() }, "stage 1 takes 2.000000000000 s; the solution says NaN"},
		{"transfer missing", func(_ *Problem, s *Solution) { s.Cost.Transfers = s.Cost.Transfers[:2] }, "there are 3 transfers over links, and costs of 2"},
		{"transfer elsewhere", func(_ *Problem, s *Solution) { s.Cost.Transfers[1].To = 3 }, "transfer 1 is cut 1 from hall to roof; the solution says cut 1 from hall to shed"},
		{"bytes of a transfer", func(_ *Problem, s *Solution) { s.Cost.Transfers[1].Bytes++ }, "transfer 1 moves 20 bytes; the solution says 21"},
		{"time of a transfer", func(_ *Problem, s *Solution) { s.Cost.Transfers[1].Seconds *= 0.99 }, "transfer 1 takes 1.333333333333 s"},
		{"latency of a transfer", func(_ *Problem, s *Solution) { s.Cost.Transfers[1].Latency = 0 }, "transfer 1 has a latency of 0.1 s"},
		{"resource that is idle", func(_ *Problem, s *Solution) { s.Cost.Resources[0].From = 3 }, "node shed is idle"},
		{"resource that is none", func(_ *Problem, s *Solution) { s.Cost.Resources[0].From = -3 }, "node -3 is idle"},
		{"time of a resource", func(_ *Problem, s *Solution) { s.Cost.Resources[0].Seconds += 1e-11 }, "node hall is busy for 3.2"},
		{"resource missing", func(_ *Problem, s *Solution) { s.Cost.Resources = s.Cost.Resources[1:] }, "without node hall"},
		{"resource twice", func(_ *Problem, s *Solution) {
			s.Cost.Resources = append(s.Cost.Resources[:1:1], s.Cost.Resources...)
		}, "1 busy resources are listed twice"},
		{"resources out of order", func(_ *Problem, s *Solution) { slices.Reverse(s.Cost.Resources) }, "the busy resources are not in order"},
		{"another bottleneck", func(_ *Problem, s *Solution) { s.Cost.Bottleneck = s.Cost.Resources[0] }, "the bottleneck is network wifi with "},
		{"another bottleneck time", func(_ *Problem, s *Solution) { s.Cost.BottleneckSeconds *= 1.01 }, "the bottleneck takes "},
		{"end-to-end latency", func(_ *Problem, s *Solution) { s.Cost.LatencySeconds++ }, "the end-to-end latency is "},
		{"bytes to move", func(_ *Problem, s *Solution) { s.Cost.MovedBytes++ }, "70 bytes have to move; the solution says 71"},
		{"a last bit", func(_ *Problem, s *Solution) {
			s.Cost.LatencySeconds = math.Nextafter(s.Cost.LatencySeconds, 0)
		}, "not what Evaluate gives"},
	} {
		p, s := audited(t)
		c.change(p, s)
		err := Verify(p, s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
			continue
		}
		if other, twice := seen[err.Error()]; twice {
			t.Errorf("%s and %s get the same sentence: %v", c.name, other, err)
		}
		seen[err.Error()] = c.name
	}
}

// The audit and Evaluate, which share no code, agree on every placement: on the
// rule that it breaks, or on its cost.
func TestAuditEqualsEvaluate(t *testing.T) {
	valid := 0
	for seed := range uint64(4000) {
		draw := rand.New(rand.NewPCG(seed, 9))
		p := shape{nodes: 5, segments: 6, draw: draw}.problem()
		stages := scattered(p, draw)
		cost, err := Evaluate(p, stages)
		s := &Solution{Status: Feasible, Stages: stages, Cost: cost}
		broken := Verify(p, s)
		var here, there *PlacementError
		switch {
		case err == nil && broken == nil:
			valid++
		case err == nil || broken == nil || !errors.As(err, &here) || !errors.As(broken, &there):
			t.Fatalf("seed %d: Evaluate says %v, Verify %v", seed, err, broken)
		}
	}
	if valid < 400 {
		t.Errorf("only %d placements were valid", valid)
	}
}
