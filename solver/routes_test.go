package solver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Whatever the gap that they begin with, routes keep the optimum in it, on problems
// with every feature, and where no times add up they close it.
func TestRoutesKeepTheOptimumBetween(t *testing.T) {
	closed, raised := 0, 0
	for seed := range uint64(800) {
		p := shape{nodes: 5, segments: 8, draw: rand.New(rand.NewPCG(seed, 31))}.problem()
		best := bruteForce(t, p)
		first := solve(t, p, Options{Algorithm: Random, Seed: seed})
		if first.Cost == nil {
			continue
		}
		r := &run{p: p, m: newModel(p), b: &budget{ctx: t.Context()}}
		r.offer(r.m.pathOf(first.Stages))
		rest, _ := r.m.minimax(r.b)
		r.low = rest.first()[0]
		low := r.low
		r.route()
		if toSeconds(r.low) > best.cost.BottleneckSeconds || toSeconds(r.best.peak) < best.cost.BottleneckSeconds {
			t.Fatalf("seed %d: %d to %d ps, and the optimum is %.12f s", seed, r.low, r.best.peak, best.cost.BottleneckSeconds)
		}
		if _, err := Evaluate(p, r.m.placed(r.way)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.low == r.best.peak {
			closed++
		} else if !r.m.sums() {
			t.Errorf("seed %d: the gap is open from %d to %d ps", seed, r.low, r.best.peak)
		}
		if r.low > low {
			raised++
		}
	}
	if closed < 300 || raised < 100 {
		t.Errorf("only %d gaps were closed and %d bounds raised", closed, raised)
	}
	t.Logf("%d gaps closed, %d bounds raised", closed, raised)
}

// In the setting of the paper nothing is near at first, so the fastest link is walked
// to and fro; then nodes become near until the threshold is decided, as the table of
// all sets of nodes decides it.
func TestRoutesOverScarceLinks(t *testing.T) {
	grown, impossible := 0, 0
	for seed := range uint64(60) {
		m := newModel(wireless(seed, 9, 14, 4.5))
		u, values := m.uses(), m.values(0, never)
		routes := newRoutes(m)
		for k := range 12 {
			table := newTable(m, values[(k+1)*len(values)/14])
			f := reach{table, u, newGrid(u.states, len(m.classes), m.end+1)}
			want, _ := f.solve(&budget{ctx: t.Context()})
			way, proven := routes.decide(table, &budget{ctx: t.Context()}, routeWork)
			if (way == nil) != (want == nil) || proven != (want == nil) {
				t.Fatalf("seed %d, within %d ps: %v, proven impossible is %v; there is %v", seed, table.limit, way, proven, want)
			}
			if s, ok := m.cost(way); way != nil && (!ok || s.peak > table.limit) {
				t.Errorf("seed %d: %v costs %d ps, over %d", seed, way, s.peak, table.limit)
			}
			if proven {
				impossible++
			}
		}
		for c := range m.classes {
			if routes.near[c] != routes.own[c] {
				grown++
			}
		}
	}
	if grown < 60 || impossible < 100 {
		t.Errorf("only %d nodes came to remember others, and %d thresholds were impossible", grown, impossible)
	}
	t.Logf("%d nodes came to remember others, %d thresholds were impossible", grown, impossible)
}

// The sets of nodes hold as many as they say, and a problem with more is left to the
// other searches.
func TestRoutesOfTooManyNodes(t *testing.T) {
	for _, n := range []int{mostRouted, mostRouted + 1} {
		p := hidden(n, rand.New(rand.NewPCG(1, 5)))
		if got := newRoutes(newModel(p)) != nil; got != (n <= mostRouted) {
			t.Errorf("%d nodes: %v", n, got)
		}
	}
	var s nodeSet
	s.set(mostRouted - 1)
	if !s.has(mostRouted-1) || s.has(0) || s.within(nodeSet{}) || !s.within(s) {
		t.Errorf("%v", s)
	}
}

// wireless is the setting of the paper: n devices at random in a square of 150 m,
// links of log2(1 + 283230/d^2) Mbit/s between all of them, one capacity and no
// compute time. The chain has l candidate cuts that shrink as in a convolutional
// network, and needs about parts times the capacity.
func wireless(seed uint64, n, l int, parts float64) *Problem {
	draw := rand.New(rand.NewPCG(seed, uint64(n*1000+l)))
	p := &Problem{}
	tensors := []float64{68.06, 34.03, 34.03, 17.01, 17.01, 8.51, 8.51, 4.25}
	const capacity = 64 << 20
	for s := range l {
		level := min(s*len(tensors)/l, len(tensors)-1)
		p.CutBytes = append(p.CutBytes, int64(tensors[level]*float64(1+draw.IntN(2))*(1<<20)/8))
		p.SegmentBytes = append(p.SegmentBytes, int64(parts*capacity/float64(l)*(0.5+draw.Float64())))
	}
	p.CutBytes = append(p.CutBytes, 0)
	x, y := make([]float64, n), make([]float64, n)
	for v := range n {
		x[v], y[v] = 1+149*draw.Float64(), 1+149*draw.Float64()
		p.Nodes = append(p.Nodes, Node{Name: fmt.Sprintf("v%d", v), MemoryBytes: capacity, SegmentSeconds: make([]float64, l)})
	}
	for u := range n {
		p.Bandwidth = append(p.Bandwidth, make([]float64, n))
		for v := range n {
			if d := math.Hypot(x[u]-x[v], y[u]-y[v]); u != v {
				p.Bandwidth[u][v] = math.Log2(1+283230/(d*d)) * 1e6 / 8
			}
		}
	}
	return p
}
