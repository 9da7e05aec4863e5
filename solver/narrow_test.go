package solver

import (
	"math/rand/v2"
	"testing"
)

// Whatever the width, and however early it stops, the search between the bound and
// the best placement keeps the optimum between them: on problems with every feature,
// with classes of several nodes, and with times that add up.
func TestNarrowKeepsTheOptimumBetween(t *testing.T) {
	closed, raised := 0, 0
	for seed := range draws(600) {
		p := shape{nodes: 7, segments: 9, draw: rand.New(rand.NewPCG(seed, 21))}.problem()
		best := solve(t, p, Options{})
		first := solve(t, p, Options{Algorithm: Random, Seed: seed})
		if first.Cost == nil {
			continue
		}
		for _, width := range []int{1, 3, 1000} {
			r := &run{p: p, m: newModel(p), b: &budget{ctx: t.Context()}}
			r.offer(r.m.pathOf(first.Stages))
			rest, _ := r.m.minimax(r.b)
			r.low = r.m.bound(rest.first()[0], r.best.peak, r.b)
			low := r.low
			r.sweep(newPricing(r.m, r.b), r.m.values(r.low, r.best.peak), width, never)
			if toSeconds(r.low) > best.Cost.BottleneckSeconds || toSeconds(r.best.peak) < best.Cost.BottleneckSeconds {
				t.Fatalf("seed %d, width %d: %d to %d ps, and the optimum is %.12f s", seed, width, r.low, r.best.peak, best.Cost.BottleneckSeconds)
			}
			if _, err := Evaluate(p, r.m.placed(r.way)); err != nil {
				t.Fatalf("seed %d, width %d: %v", seed, width, err)
			}
			if r.low > low {
				raised++
			}
			if width == 1000 && !r.m.sums() && r.low < r.best.peak {
				t.Errorf("seed %d: the gap is open from %d to %d ps", seed, r.low, r.best.peak)
			} else if r.low == r.best.peak {
				closed++
			}
		}
	}
	if closed < int(draws(300)) || raised < int(draws(50)) {
		t.Errorf("only %d gaps were closed and %d bounds raised", closed, raised)
	}
	t.Logf("%d gaps closed, %d bounds raised", closed, raised)
}

// The simplex method packs as much as can be packed, in a programme small enough to
// solve by hand: half of each of three walks that share nodes in pairs.
func TestPacking(t *testing.T) {
	l := newPacking([]float64{1, 1, 1})
	for _, use := range [][]float64{{1, 1, 0}, {0, 1, 1}, {1, 0, 1}} {
		l.add(use)
	}
	l.solve()
	if v := l.value(); v < 1.4999 || v > 1.5001 {
		t.Errorf("packed %g", v)
	}
	for _, x := range l.duals {
		if x < 0.4999 || x > 0.5001 {
			t.Errorf("duals %v", l.duals)
		}
	}
}

// hidden is a cluster in which every node holds one segment and one path of links
// leads through all of them, among others that lead nowhere.
func hidden(n int, draw *rand.Rand) *Problem {
	p := &Problem{}
	for range n {
		p.SegmentBytes, p.CutBytes = append(p.SegmentBytes, 10), append(p.CutBytes, 1)
		p.Nodes = append(p.Nodes, Node{MemoryBytes: 10, SegmentSeconds: make([]float64, n)})
		p.Bandwidth = append(p.Bandwidth, make([]float64, n))
	}
	p.CutBytes = append(p.CutBytes, 1)
	way := draw.Perm(n)
	for k := range n - 1 {
		p.Bandwidth[way[k]][way[k+1]] = 1 + draw.Float64()
		p.Bandwidth[way[k]][way[draw.IntN(k+1)]] = 3 // back
	}
	return p
}

// Where walks and beam find nothing, in clusters of any size, the search led by
// prices finds the one placement there is, or proves that there is none.
func TestFind(t *testing.T) {
	for seed := range draws(5) {
		p := hidden(largest(30, 20), rand.New(rand.NewPCG(seed, 5)))
		for v := range p.Nodes {
			p.Bandwidth[v][v] = 0
		}
		r := &run{p: p, m: newModel(p), b: &budget{ctx: t.Context()}}
		if r.find(); r.way == nil || r.infeasible {
			t.Fatalf("seed %d: found no placement; infeasible is %v", seed, r.infeasible)
		}
		way := r.m.placed(r.way)
		p.Bandwidth[way[15].Node][way[16].Node] = 0
		r = &run{p: p, m: newModel(p), b: &budget{ctx: t.Context()}}
		if r.find(); r.way != nil || !r.infeasible {
			t.Errorf("seed %d: a gap in the only path; infeasible is %v", seed, r.infeasible)
		}
		if s := solve(t, p, Options{}); s.Status != Infeasible {
			t.Errorf("seed %d: %s: %s", seed, s.Status, s.Reason)
		}
	}
}
