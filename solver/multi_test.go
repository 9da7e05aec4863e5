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

// models draws several models on one cluster, every feature at random.
func (s shape) models(count int) *Problem {
	first := s.problem()
	p := &Problem{Bandwidth: first.Bandwidth, Latency: first.Latency, Shared: first.Shared, Overlap: first.Overlap}
	for _, node := range first.Nodes {
		node.SegmentSeconds, node.RangeSeconds = nil, nil
		node.MemoryBytes *= int64(1 + s.draw.IntN(count))
		p.Nodes = append(p.Nodes, node)
	}
	for k := range count {
		q := first
		for k > 0 && (q == first || len(q.Nodes) != len(p.Nodes)) {
			q = s.problem()
		}
		m := Model{
			CutBytes: q.CutBytes, SegmentBytes: q.SegmentBytes, ActivationBytes: q.ActivationBytes,
			InBuffers: q.InBuffers, OutBuffers: q.OutBuffers, Gateway: q.Gateway, AllowedCuts: q.AllowedCuts,
			MaxStages: q.MaxStages, Pinned: q.Pinned, ExcludedNodes: q.ExcludedNodes, HeldBytes: q.HeldBytes,
		}
		if s.one(2) {
			m.RequiredThroughput = []float64{0.5, 2, 3, 0.1, 7.3}[s.draw.IntN(5)]
		}
		p.Models = append(p.Models, m)
		for v := range p.Nodes {
			p.Nodes[v].ModelSeconds = append(p.Nodes[v].ModelSeconds, q.Nodes[v].SegmentSeconds)
			p.Nodes[v].ModelRanges = append(p.Nodes[v].ModelRanges, q.Nodes[v].RangeSeconds)
		}
	}
	return p
}

// everyPlacement lists the placements of a problem that keep all rules, with what
// each keeps busy.
func everyPlacement(t testing.TB, p *Problem) (all []*evaluation) {
	t.Helper()
	var stages []Placed
	var extend func(first int)
	extend = func(first int) {
		if first == p.Segments() {
			e, err := p.evaluated(slices.Clone(stages))
			var rule *PlacementError
			if err != nil && !errors.As(err, &rule) {
				t.Fatal(err)
			}
			if err == nil {
				all = append(all, e)
			}
			return
		}
		for v := range p.Nodes {
			for last := first; last < p.Segments(); last++ {
				stages = append(stages, Placed{v, first, last})
				if p.checkStageRules(len(stages)-1, stages[len(stages)-1]) == nil {
					extend(last + 1)
				}
				stages = stages[:len(stages)-1]
			}
		}
	}
	extend(0)
	return all
}

// bruteForceModels is the least bottleneck of all combinations of placements, in ps;
// never when none fits.
func bruteForceModels(t testing.TB, p *Problem) int64 {
	all := make([][]*evaluation, len(p.Models))
	for k := range p.Models {
		all[k] = everyPlacement(t, p.scaled(k))
	}
	best := never
	type key struct {
		kind     ResourceKind
		from, to int
	}
	index := map[key]int{}
	for _, list := range all {
		for _, e := range list {
			for _, r := range e.busy {
				k := key{r.kind, r.from, r.to}
				if _, ok := index[k]; !ok {
					index[k] = len(index)
				}
			}
		}
	}
	busy, bytes := make([]int64, len(index)), make([]int64, len(p.Nodes))
	var combine func(k int, peak int64)
	combine = func(k int, peak int64) {
		if k == len(all) {
			best = min(best, peak)
			return
		}
		for _, e := range all[k] {
			most, fits := peak, true
			for i, s := range e.stages {
				bytes[s.Node] += e.cost.Stages[i].MemoryBytes
				fits = fits && bytes[s.Node] <= p.Nodes[s.Node].MemoryBytes
			}
			for _, r := range e.busy {
				i := index[key{r.kind, r.from, r.to}]
				busy[i] += r.ps
				most = max(most, busy[i])
			}
			if fits && most < best {
				combine(k+1, most)
			}
			for _, r := range e.busy {
				busy[index[key{r.kind, r.from, r.to}]] -= r.ps
			}
			for i, s := range e.stages {
				bytes[s.Node] -= e.cost.Stages[i].MemoryBytes
			}
		}
	}
	combine(0, 0)
	return best
}

// The exact search of several models finds the bottleneck of brute force, or proves
// that nothing fits.
func TestModelsEqualBruteForce(t *testing.T) {
	statuses := map[Status]int{}
	for seed := range uint64(1000) {
		s := shape{nodes: 4, segments: 4, draw: rand.New(rand.NewPCG(seed, 11))}
		count := 2
		switch {
		case seed%4 == 0:
			count, s.nodes, s.segments = 3, 3, 4
		case seed%25 == 1:
			s.nodes, s.segments = 5, 5
		}
		p := s.models(count)
		want := bruteForceModels(t, p)
		got, err := Solve(t.Context(), p, Options{Algorithm: Exact, TimeLimit: 10 * time.Second})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := Verify(p, got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		statuses[got.Status]++
		switch {
		case want == never && got.Status != Infeasible:
			t.Fatalf("seed %d: status %s, but nothing fits", seed, got.Status)
		case want < never && got.Status != Optimal:
			t.Fatalf("seed %d: status %s (%s), but the optimum is %g s", seed, got.Status, got.Reason, toSeconds(want))
		case want < never && got.Cost.BottleneckSeconds != toSeconds(want):
			t.Fatalf("seed %d: got %g s, brute force %g s", seed, got.Cost.BottleneckSeconds, toSeconds(want))
		}
	}
	if statuses[Optimal] < 500 || statuses[Infeasible] < 50 {
		t.Errorf("the draw is lopsided: %v", statuses)
	}
	t.Log(statuses)
}

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
	for seed := range uint64(60) {
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
