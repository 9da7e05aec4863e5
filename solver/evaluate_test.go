package solver

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// three is a chain of three segments on three nodes: a and b share a radio, c is
// on a wire, and nothing leads from c to a.
func three() *Problem {
	gateway := 0
	return &Problem{
		CutBytes:        []int64{10, 20, 30, 40},
		SegmentBytes:    []int64{100, 200, 300},
		ActivationBytes: []int64{5, 50, 7},
		InBuffers:       2,
		OutBuffers:      1,
		Gateway:         &gateway,
		Nodes: []Node{
			{Name: "a", MemoryBytes: 1000, BaseBytes: 11, SegmentSeconds: []float64{1, 2, 3}},
			{Name: "b", MemoryBytes: 1000, SegmentSeconds: []float64{2, 4, 6}, CPUSecondsPerByte: 0.01},
			{Name: "c", MemoryBytes: 1000, SegmentSeconds: []float64{1, 1, 1}},
		},
		Bandwidth: [][]float64{{0, 10, 10}, {10, 0, 20}, {0, 20, 0}},
		Latency:   [][]float64{{0, 0.5, 0.25}, {0.5, 0, 0.125}, {0, 0.125, 0}},
		Shared:    []Shared{{Name: "wifi", Pairs: [][2]int{{0, 1}, {1, 0}}}},
	}
}

func TestEvaluate(t *testing.T) {
	// Cut 0 stays on a; cut 2 goes a -> b and cut 3 comes back b -> a, over the
	// same radio: (30 + 40) / 10 s. b also works 0.01 s for each of the 70 bytes.
	want := &Cost{
		BottleneckSeconds: 7,
		Bottleneck:        Resource{Kind: NetworkResource, From: 0, Seconds: 7},
		LatencySeconds:    3 + 3 + 0.5 + 6.7 + 4 + 0.5,
		MovedBytes:        600,
		Stages: []StageCost{
			{Seconds: 3, MemoryBytes: 11 + 300 + 50 + 2*10 + 30},
			{Seconds: 6.7, MemoryBytes: 300 + 7 + 2*30 + 40},
		},
		Transfers: []Transfer{
			{Cut: 2, From: 0, To: 1, Bytes: 30, Seconds: 3, Latency: 0.5},
			{Cut: 3, From: 1, To: 0, Bytes: 40, Seconds: 4, Latency: 0.5},
		},
		Resources: []Resource{
			{Kind: NodeResource, From: 0, Seconds: 3},
			{Kind: NodeResource, From: 1, Seconds: 6.7},
			{Kind: NetworkResource, From: 0, Seconds: 7},
		},
	}
	got, err := Evaluate(three(), []Placed{{0, 0, 1}, {1, 2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A gateway without a stage sends cut 0 and receives cut L; without a gateway
// both are free. Links that are no one's radio are resources of their own.
func TestEvaluateGateway(t *testing.T) {
	p := three()
	p.Gateway = nil
	stages := []Placed{{2, 0, 0}, {1, 1, 2}}
	got, err := Evaluate(p, stages)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Transfers) != 1 || got.Bottleneck != (Resource{Kind: NodeResource, From: 1, Seconds: 10.2}) {
		t.Errorf("without a gateway: %+v", got)
	}
	p = three()
	if got, err = Evaluate(p, stages); err != nil {
		t.Fatal(err)
	}
	want := []Resource{
		{Kind: NodeResource, From: 1, Seconds: 10 + 0.01*(20+40)},
		{Kind: NodeResource, From: 2, Seconds: 1},
		{Kind: LinkResource, From: 0, To: 2, Seconds: 1},
		{Kind: LinkResource, From: 2, To: 1, Seconds: 1},
		{Kind: NetworkResource, From: 0, Seconds: 4},
	}
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Error(diff)
	}
}

// Without overlap a node is busy for its stage and every transfer, and the
// gateway for what it sends and receives besides. Interfaces slow transfers down,
// and are resources of their own, which all transfers that way share.
func TestEvaluateOneAfterAnother(t *testing.T) {
	no := false
	p := three()
	p.Overlap = &no
	p.Nodes[0].SendBytesPerSecond = 5
	p.Nodes[1].ReceiveBytesPerSecond = 2
	got, err := Evaluate(p, []Placed{{2, 0, 0}, {1, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	// a sends cut 0 to c in 10/5 s instead of 10/10, c sends cut 1 to b in 20/2 s
	// instead of 20/20, and b sends cut 3 to a in 40/10 s.
	want := []Resource{
		{Kind: NodeResource, From: 0, Seconds: 2 + 4},
		{Kind: NodeResource, From: 1, Seconds: 10 + 0.01*(20+40) + 10 + 4},
		{Kind: NodeResource, From: 2, Seconds: 1 + 2 + 10},
		{Kind: LinkResource, From: 0, To: 2, Seconds: 1},
		{Kind: LinkResource, From: 2, To: 1, Seconds: 1},
		{Kind: NetworkResource, From: 0, Seconds: 4},
		{Kind: InterfaceResource, From: 0, To: InterfaceOut, Seconds: 2},
		{Kind: InterfaceResource, From: 1, To: InterfaceIn, Seconds: 10},
	}
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Error(diff)
	}
	if got.LatencySeconds != 2+0.25+1+10+0.125+10.6+4+0.5 {
		t.Errorf("latency %g s", got.LatencySeconds)
	}
	if name := p.ResourceName(got.Resources[7]); name != "interface b in" {
		t.Error(name)
	}
}

// A gateway with a stage in the middle sends cut 0 and its stage's output over
// one interface.
func TestEvaluateGatewayInterface(t *testing.T) {
	p := three()
	p.Bandwidth[2][0] = 1000
	p.Nodes[0].SendBytesPerSecond = 5
	got, err := Evaluate(p, []Placed{{2, 0, 0}, {0, 1, 1}, {1, 2, 2}})
	if err != nil || got.Bottleneck != (Resource{InterfaceResource, 0, InterfaceOut, (10 + 30) / 5.0}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A measured range counts for the stage that is exactly it.
func TestEvaluateRanges(t *testing.T) {
	p := three()
	p.Nodes[0].RangeSeconds = []Range{{0, 1, 2.5}}
	for _, c := range []struct {
		last int
		want float64
	}{{0, 1}, {1, 2.5}} {
		got, err := Evaluate(p, []Placed{{0, 0, c.last}, {1, c.last + 1, 2}})
		if err != nil || got.Stages[0].Seconds != c.want {
			t.Errorf("segments 0 to %d: %+v, %v; want %g s", c.last, got, err, c.want)
		}
	}
}

func TestEvaluateHeld(t *testing.T) {
	p := three()
	p.HeldBytes = [][]int64{{100, 0, 0}, nil, {0, 0, 400}}
	got, err := Evaluate(p, []Placed{{0, 0, 0}, {1, 1, 2}})
	if err != nil || got.MovedBytes != 500 {
		t.Errorf("moved %d bytes, %v; a holds segment 0 and b nothing: 500", got.MovedBytes, err)
	}
}

func TestEvaluateBrokenRules(t *testing.T) {
	small := func(p *Problem) { p.Nodes[0].MemoryBytes = 400 }
	for _, c := range []struct {
		name   string
		change func(*Problem)
		stages []Placed
		want   PlacementError
	}{
		{"no stages", nil, nil, PlacementError{Rule: RuleCoverage}},
		{"a gap", nil, []Placed{{0, 0, 0}, {1, 2, 2}}, PlacementError{Rule: RuleCoverage, Stage: 1, Node: 1}},
		{"too short", nil, []Placed{{0, 0, 1}}, PlacementError{Rule: RuleCoverage}},
		{"too long", nil, []Placed{{0, 0, 3}}, PlacementError{Rule: RuleCoverage}},
		{"unknown node", nil, []Placed{{3, 0, 2}}, PlacementError{Rule: RuleOnce, Node: 3}},
		{"a node twice", nil, []Placed{{0, 0, 0}, {1, 1, 1}, {0, 2, 2}}, PlacementError{Rule: RuleOnce, Stage: 2}},
		{"excluded", func(p *Problem) { p.ExcludedNodes = []int{1} }, []Placed{{0, 0, 0}, {1, 1, 2}}, PlacementError{Rule: RuleExcluded, Stage: 1, Node: 1}},
		{"cut", func(p *Problem) { p.AllowedCuts = []int{2} }, []Placed{{0, 0, 0}, {1, 1, 2}}, PlacementError{Rule: RuleCut, Stage: 1, Node: 1}},
		{"pin", func(p *Problem) { p.Pinned = []Pin{{2, 0}} }, []Placed{{0, 0, 0}, {1, 1, 2}}, PlacementError{Rule: RulePin, Stage: 1, Node: 1}},
		{"stages", func(p *Problem) { p.MaxStages = 1 }, []Placed{{0, 0, 0}, {1, 1, 2}}, PlacementError{Rule: RuleStages, Stage: 1, Node: 1, Over: 1}},
		{"memory", small, []Placed{{0, 0, 1}, {1, 2, 2}}, PlacementError{Rule: RuleMemory, Over: 11}},
		{"link", nil, []Placed{{0, 0, 0}, {2, 1, 2}}, PlacementError{Rule: RuleLink, Stage: 1, Node: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := three()
			if c.change != nil {
				c.change(p)
			}
			_, err := Evaluate(p, c.stages)
			var got *PlacementError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *PlacementError", err)
			}
			c.want.Message = got.Message
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEvaluateSaysByHowMuch(t *testing.T) {
	p := three()
	p.Nodes[0].MemoryBytes = 300
	_, err := Evaluate(p, []Placed{{0, 0, 1}, {1, 2, 2}})
	if err == nil || !strings.Contains(err.Error(), "needs 411 B on a, which allows 300 B: 111 B too much") {
		t.Error(err)
	}
}
