package solver

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// models draws several models on one cluster, every feature at random.
func (s shape) models(count int) *Problem {
	first := s.problem()
	p := &Problem{Bandwidth: first.Bandwidth, Latency: first.Latency, Shared: first.Shared, Overlap: first.Overlap}
	for _, node := range first.Nodes {
		node.SegmentSeconds, node.RangeSeconds, node.StageSeconds = nil, nil, 0
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
			p.Nodes[v].ModelStageSeconds = append(p.Nodes[v].ModelStageSeconds, q.Nodes[v].StageSeconds)
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
	for seed := range draws(1000) {
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
	if statuses[Optimal] < int(draws(500)) || statuses[Infeasible] < int(draws(50)) {
		t.Errorf("the draw is lopsided: %v", statuses)
	}
	t.Log(statuses)
}
