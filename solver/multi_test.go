package solver

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pair is two models on the nodes of three: m is its chain and requires 2, n has two
// segments and comes in at node b.
func pair() *Problem {
	p := three()
	gateway := 1
	q := &Problem{Bandwidth: p.Bandwidth, Latency: p.Latency, Shared: p.Shared, Models: []Model{
		{Name: "m", RequiredThroughput: 2, CutBytes: p.CutBytes, SegmentBytes: p.SegmentBytes, ActivationBytes: p.ActivationBytes, InBuffers: 2, OutBuffers: 1, Gateway: p.Gateway},
		{Name: "n", CutBytes: []int64{50, 5, 1}, SegmentBytes: []int64{40, 60}, Gateway: &gateway},
	}}
	for _, node := range p.Nodes {
		node.ModelSeconds = [][]float64{node.SegmentSeconds, {0.5, 2.5}}
		node.SegmentSeconds = nil
		q.Nodes = append(q.Nodes, node)
	}
	return q
}

func TestEvaluateModels(t *testing.T) {
	p := pair()
	// m: segments 0 and 1 on a, 2 on b, as in TestEvaluate, twice. n: segment 0 on a,
	// 1 on b; cut 0 goes b -> a and cut 1 comes back, (50 + 5) / 10 s of the radio.
	got, err := EvaluateModels(p, [][]Placed{{{0, 0, 1}, {1, 2, 2}}, {{0, 0, 0}, {1, 1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Resource{
		{Kind: NodeResource, From: 0, Seconds: 2*3 + 0.5},
		{Kind: NodeResource, From: 1, Seconds: 2*6.7 + 2.5 + 0.01*5},
		{Kind: NetworkResource, From: 0, Seconds: 2*7 + 5.5},
	}
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Error(diff)
	}
	if got.BottleneckSeconds != 19.5 || got.Models[0].Throughput != 2/19.5 || got.Models[1].Throughput != 1/19.5 {
		t.Errorf("%+v", got)
	}
	if alone := got.Models[0].Alone; alone.BottleneckSeconds != 7 || got.LatencySeconds != alone.LatencySeconds {
		t.Errorf("m alone: %+v", alone)
	}
}

// Memory adds up, and the base of a node counts for each stage on it.
func TestEvaluateModelsMemory(t *testing.T) {
	p := pair()
	placements := [][]Placed{{{0, 0, 1}, {1, 2, 2}}, {{0, 0, 1}}}
	need := int64(11 + 300 + 50 + 2*10 + 30 + 11 + 100)
	for _, short := range []int64{0, 1} {
		p.Nodes[0].MemoryBytes = need - short
		_, err := EvaluateModels(p, placements)
		var of *ModelError
		var rule *PlacementError
		switch {
		case short == 0 && err != nil:
			t.Error(err)
		case short == 1 && (!errors.As(err, &of) || !errors.As(err, &rule) || of.Model != 1 || rule.Rule != RuleMemory || rule.Over != 1):
			t.Errorf("got %v, want that n has 1 byte too little", err)
		}
	}
	p.Models[1].NodeBaseBytes = []int64{10, 0, 0}
	if _, err := EvaluateModels(p, placements); err != nil {
		t.Errorf("with a base that is 1 byte less for n: %v", err)
	}
}

// One model that requires 1 costs what it costs as a problem of its own, and has the
// same optimum.
func TestOneModelIsAProblem(t *testing.T) {
	for seed := range uint64(200) {
		p := shape{nodes: 5, segments: 6, draw: rand.New(rand.NewPCG(seed, 12))}.models(1)
		p.Models[0].RequiredThroughput = 0
		alone, err := Solve(t.Context(), p.Alone(0), Options{Algorithm: Exact})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Solve(t.Context(), p, Options{Algorithm: Exact})
		if err != nil {
			t.Fatal(err)
		}
		if alone.Status != got.Status || alone.Cost != nil && alone.Cost.BottleneckSeconds != got.Cost.BottleneckSeconds {
			t.Fatalf("seed %d: alone %s %+v, as one of models %s %+v", seed, alone.Status, alone.Cost, got.Status, got.Cost)
		}
		if alone.Cost == nil {
			continue
		}
		cost, err := EvaluateModels(p, [][]Placed{alone.Stages})
		if err != nil || cost.BottleneckSeconds != alone.Cost.BottleneckSeconds || !slices.Equal(cost.Resources, alone.Cost.Resources) {
			t.Fatalf("seed %d: %v %+v, alone %+v", seed, err, cost, alone.Cost)
		}
	}
}

// No placements whatever cost less than the bound, whichever algorithm gives it.
func TestModelsBoundIsNeverAboveAPlacement(t *testing.T) {
	for seed := range draws(60) {
		draw := rand.New(rand.NewPCG(seed, 13))
		p := shape{nodes: 6, segments: 9, draw: draw}.models(2)
		var bounds []*Solution
		for _, how := range []Algorithm{Greedy, Auto} {
			s, err := Solve(t.Context(), p, Options{Algorithm: how})
			if err == nil {
				err = Verify(p, s)
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			bounds = append(bounds, s)
		}
		for range 300 {
			cost, err := EvaluateModels(p, [][]Placed{scattered(p.Alone(0), draw), scattered(p.Alone(1), draw)})
			if err != nil {
				continue
			}
			for _, s := range bounds {
				if s.Status == Infeasible || cost.BottleneckSeconds < s.LowerBoundSeconds {
					t.Fatalf("seed %d: %s with bound %g, but there are placements of %g s", seed, s.Status, s.LowerBoundSeconds, cost.BottleneckSeconds)
				}
			}
		}
	}
}

// The start stays unless something is strictly better, and the same input gives the
// same answer.
func TestModelsStart(t *testing.T) {
	p := manyModels(4, 3, 4, 6, true, true)
	first, err := Solve(t.Context(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Solve(t.Context(), p, Options{})
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for k := range p.Models {
		p.Models[k].Start = first.Placements[k]
	}
	kept, err := Solve(t.Context(), p, Options{})
	if err != nil || kept.Cost.BottleneckSeconds > first.Cost.BottleneckSeconds {
		t.Fatal(err, kept)
	}
	if kept.Cost.BottleneckSeconds == first.Cost.BottleneckSeconds && !slices.EqualFunc(kept.Placements, first.Placements, slices.Equal) {
		t.Errorf("the start moved for nothing: %v, then %v", first.Placements, kept.Placements)
	}
}

// Out of time: the best so far, with the reason and a bound that holds.
func TestModelsStopped(t *testing.T) {
	p := manyModels(1, 3, 20, 48, true, true)
	s, err := Solve(t.Context(), p, Options{TimeLimit: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != Feasible && s.Status != Unknown || !strings.HasPrefix(s.Reason, "stopped at the time limit of 500ms") {
		t.Errorf("%s: %s", s.Status, s.Reason)
	}
	if err := Verify(p, s); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err = Solve(ctx, p, Options{}); err != nil || s.Status != Unknown || s.Reason != "stopped: cancelled" {
		t.Error(err, s)
	}
}

// Verify finds what is wrong with an answer for several models.
func TestVerifyModels(t *testing.T) {
	p := manyModels(2, 2, 4, 6, false, true)
	good, err := Solve(t.Context(), p, Options{})
	if err != nil || good.Status != Optimal {
		t.Fatal(err, good)
	}
	for _, c := range []struct {
		name, want string
		change     func(*Solution)
	}{
		{"stages", "and the solution stages", func(s *Solution) { s.Stages = s.Placements[0] }},
		{"one too few", "1 placements for 2 models", func(s *Solution) { s.Placements = s.Placements[:1] }},
		{"no cost", "no cost", func(s *Solution) { s.Cost = nil }},
		{"another cost", "the solution says", func(s *Solution) { c := *s.Cost; c.BottleneckSeconds /= 2; s.Cost = &c }},
		{"high bound", "exceeds the cost", func(s *Solution) { s.LowerBoundSeconds *= 2 }},
		{"low bound", "does not meet the cost", func(s *Solution) { s.LowerBoundSeconds /= 2 }},
		{"no bound", "is no time", func(s *Solution) { s.LowerBoundSeconds = -1 }},
		{"unlikely", "but there are placements", func(s *Solution) { s.Status = Infeasible }},
		{"no status", "is none of", func(s *Solution) { s.Status = "good" }},
	} {
		s := *good
		c.change(&s)
		if err := Verify(p, &s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
