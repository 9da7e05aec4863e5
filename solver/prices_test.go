package solver

import (
	"math/rand/v2"
	"testing"
)

// Priced bounds hold: on problems with every feature they never exceed the
// optimum, from whatever placement they begin.
func TestPricesNeverExceedTheOptimum(t *testing.T) {
	raised := 0
	for seed := range uint64(400) {
		p := shape{nodes: 6, segments: 9, draw: rand.New(rand.NewPCG(seed, 11))}.problem()
		best, err := Solve(t.Context(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if best.Cost == nil {
			continue
		}
		for _, a := range []Algorithm{Random, Greedy} {
			s, err := Solve(t.Context(), p, Options{Algorithm: a, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			if s.Cost == nil {
				continue
			}
			r := &run{p: p, m: newModel(p), b: &budget{ctx: t.Context()}}
			r.offer(r.m.pathOf(s.Stages))
			rest, _ := r.m.minimax(r.b)
			r.low = r.m.bound(rest.first()[0], r.best.peak, r.b)
			before := r.low
			r.price(newPricing(r.m, r.b))
			if got := toSeconds(r.low); got > best.Cost.BottleneckSeconds {
				t.Fatalf("seed %d: bound %.12f s, optimum %.12f s", seed, got, best.Cost.BottleneckSeconds)
			}
			if r.low > before {
				raised++
			}
		}
	}
	if raised < 20 {
		t.Errorf("prices raised only %d bounds", raised)
	}
	t.Logf("%d bounds raised", raised)
}

// On a cluster too large for the exact search the bound rises, and twice the same.
func TestPricesOnALargeCluster(t *testing.T) {
	p := cluster(1, 30, 40, 0.3, false, false)
	first, err := Solve(t.Context(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(p, first); err != nil {
		t.Fatal(err)
	}
	if first.Gap() > 0.25 {
		t.Errorf("gap %.3f", first.Gap())
	}
	second, err := Solve(t.Context(), p, Options{})
	if err != nil || second.LowerBoundSeconds != first.LowerBoundSeconds || second.Work != first.Work {
		t.Errorf("another run: bound %g and work %d, then %g and %d", first.LowerBoundSeconds, first.Work, second.LowerBoundSeconds, second.Work)
	}
}
