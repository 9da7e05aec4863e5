package solver

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn is a random problem with a proven optimum.
func drawn(t *rapid.T) (*Problem, *Solution, *rand.Rand) {
	draw := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
	p := shape{nodes: 6, segments: 9, draw: draw}.problem()
	return p, optimum(t, p), draw
}

func optimum(t *rapid.T, p *Problem) *Solution {
	s, err := Solve(t.Context(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(p, s); err != nil {
		t.Fatal(err)
	}
	if s.Status != Optimal && s.Status != Infeasible {
		t.Fatalf("status %s: %s", s.Status, s.Reason)
	}
	return s
}

// noWorse fails when an eased problem has a larger optimum.
func noWorse(t *rapid.T, what string, before, after *Solution) {
	if before.Cost != nil && (after.Cost == nil || after.Cost.BottleneckSeconds > before.Cost.BottleneckSeconds) {
		t.Fatalf("%s made the optimum worse: %v, then %v", what, before.Cost, after.Cost)
	}
}

func TestMoreMemoryIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, before, draw := drawn(t)
		p.Nodes = slices.Clone(p.Nodes)
		p.Nodes[draw.IntN(len(p.Nodes))].MemoryBytes += 1 + draw.Int64N(300)
		noWorse(t, "memory", before, optimum(t, p))
	})
}

// A new link counts as one: where there was none, 0 bytes a second.
func TestMoreBandwidthIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, before, draw := drawn(t)
		u, v := draw.IntN(len(p.Nodes)), draw.IntN(len(p.Nodes))
		p.Bandwidth[u][v] += 1 + 50*draw.Float64()
		noWorse(t, "bandwidth", before, optimum(t, p))
	})
}

func TestAnotherNodeIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, before, draw := drawn(t)
		p.Nodes = append(p.Nodes, p.Nodes[draw.IntN(len(p.Nodes))])
		row := make([]float64, len(p.Nodes))
		for v := range p.Bandwidth {
			row[v] = 60 * draw.Float64()
			p.Bandwidth[v] = append(p.Bandwidth[v], 60*draw.Float64())
		}
		p.Bandwidth, p.Latency, p.HeldBytes = append(p.Bandwidth, row), nil, nil
		noWorse(t, "a node", before, optimum(t, p))
	})
}

// Renumbering the nodes changes no cost: bottleneck, bytes and latency stay.
func TestRenamingNodesChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, before, draw := drawn(t)
		after := optimum(t, permuted(p, draw.Perm(len(p.Nodes))))
		if before.Status != after.Status {
			t.Fatalf("%s became %s", before.Status, after.Status)
		}
		if a, b := before.Cost, after.Cost; a != nil && (a.BottleneckSeconds != b.BottleneckSeconds ||
			a.MovedBytes != b.MovedBytes || a.LatencySeconds != b.LatencySeconds || len(a.Stages) != len(b.Stages)) {
			t.Fatalf("%+v became %+v", a, b)
		}
	})
}

// permuted gives node v the number to[v].
func permuted(p *Problem, to []int) *Problem {
	q := *p
	n := len(p.Nodes)
	q.Nodes, q.Bandwidth = make([]Node, n), make([][]float64, n)
	if p.Latency != nil {
		q.Latency = make([][]float64, n)
	}
	if p.HeldBytes != nil {
		q.HeldBytes = make([][]int64, n)
	}
	move := func(row []float64) []float64 {
		out := make([]float64, n)
		for v, x := range row {
			out[to[v]] = x
		}
		return out
	}
	for v := range n {
		q.Nodes[to[v]], q.Bandwidth[to[v]] = p.Nodes[v], move(p.Bandwidth[v])
		if p.Latency != nil {
			q.Latency[to[v]] = move(p.Latency[v])
		}
		if p.HeldBytes != nil {
			q.HeldBytes[to[v]] = p.HeldBytes[v]
		}
	}
	if p.Gateway != nil {
		g := to[*p.Gateway]
		q.Gateway = &g
	}
	q.Shared, q.Pinned, q.ExcludedNodes = nil, slices.Clone(p.Pinned), slices.Clone(p.ExcludedNodes)
	for _, s := range p.Shared {
		pairs := slices.Clone(s.Pairs)
		for k, pair := range pairs {
			pairs[k] = [2]int{to[pair[0]], to[pair[1]]}
		}
		q.Shared = append(q.Shared, Shared{s.Name, pairs})
	}
	for k := range q.Pinned {
		q.Pinned[k].Node = to[q.Pinned[k].Node]
	}
	for k := range q.ExcludedNodes {
		q.ExcludedNodes[k] = to[q.ExcludedNodes[k]]
	}
	return &q
}

// No valid placement whatever costs less than the bound.
func TestBoundIsNeverAboveAPlacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, s, draw := drawn(t)
		greedy, err := Solve(t.Context(), p, Options{Algorithm: Greedy})
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			cost, err := Evaluate(p, scattered(p, draw))
			if err != nil {
				continue
			}
			for _, bound := range []float64{s.LowerBoundSeconds, greedy.LowerBoundSeconds} {
				if s.Status == Infeasible || cost.BottleneckSeconds < bound {
					t.Fatalf("%s with bound %g, but there is a placement of %g s", s.Status, bound, cost.BottleneckSeconds)
				}
			}
		}
	})
}

// scattered cuts the chain anywhere and takes any nodes.
func scattered(p *Problem, draw *rand.Rand) []Placed {
	nodes := draw.Perm(len(p.Nodes))
	var out []Placed
	for first := 0; first < p.Segments(); {
		last := first + draw.IntN(p.Segments()-first)
		if len(out) == len(nodes)-1 {
			last = p.Segments() - 1
		}
		out = append(out, Placed{nodes[len(out)], first, last})
		first = last + 1
	}
	return out
}
