package solver

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, name string) *Problem {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := ReadProblem(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func solve(t testing.TB, p *Problem, o Options) *Solution {
	t.Helper()
	s, err := Solve(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(p, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// blocks writes cuts and nodes as the paper does: candidates i..j-1 are the
// partition (i,j), N the node of each partition.
func blocks(s *Solution) (parts [][2]int, n []int) {
	for _, st := range s.Stages {
		parts = append(parts, [2]int{st.FirstSegment, st.LastSegment + 1})
		n = append(n, st.Node+1)
	}
	return parts, n
}

// The paper cuts by the least sum of transfers T first and places after that.
// Here T = 68, 34, 17 between the blocks, two blocks fit a node, and nodes 2 and
// 3 have the one fast link. A single cut, at 2, is the only way into two parts;
// beta = max T / bandwidth = 34 / 17.
func TestPaperNotation(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Problem)
		parts   [][2]int
		n       []int
		beta    float64
		classes string
	}{
		{name: "two parts over the best link", parts: [][2]int{{0, 2}, {2, 4}}, n: []int{2, 3}, beta: 34.0 / 17},
		{name: "capacity for three blocks", change: func(p *Problem) {
			for v := range p.Nodes {
				p.Nodes[v].MemoryBytes = 30
			}
		}, parts: [][2]int{{0, 3}, {3, 4}}, n: []int{2, 3}, beta: 17.0 / 17},
		{name: "capacity for one block and a fourth node", change: func(p *Problem) {
			for v := range p.Nodes {
				p.Nodes[v].MemoryBytes = 10
			}
			p.Nodes = append(p.Nodes, p.Nodes[0])
			p.Bandwidth = [][]float64{{0, 6, 4, 5}, {6, 0, 17, 1}, {4, 17, 0, 3}, {5, 1, 3, 0}}
		}, parts: [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 4}}, n: []int{3, 2, 1, 4}, beta: 34.0 / 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := read(t, "paper.json")
			if c.change != nil {
				c.change(p)
			}
			s := solve(t, p, Options{})
			parts, n := blocks(s)
			if !slices.Equal(parts, c.parts) || !slices.Equal(n, c.n) || math.Abs(s.Cost.BottleneckSeconds-c.beta) > 1e-12 || s.Status != Optimal {
				t.Errorf("%s: parts %v, N %v, beta %.6f; want %v, %v, %.6f", s.Status, parts, n, s.Cost.BottleneckSeconds, c.parts, c.n, c.beta)
			}
		})
	}
}

// On one radio channel a second stage costs the transfer of cut 1 as well, so
// one stage is best; on links of their own it is free, and two are better.
func TestSharedRadio(t *testing.T) {
	p := read(t, "gateway.json")
	s := solve(t, p, Options{})
	if !slices.Equal(s.Stages, []Placed{{2, 0, 2}}) || math.Abs(s.Cost.BottleneckSeconds-110.0/30) > 1e-12 {
		t.Errorf("shared: %v, %g s", s.Stages, s.Cost.BottleneckSeconds)
	}
	p.Shared = nil
	s = solve(t, p, Options{})
	if !slices.Equal(s.Stages, []Placed{{2, 0, 2}}) || math.Abs(s.Cost.BottleneckSeconds-100.0/30) > 1e-12 {
		t.Errorf("not shared: %v, %g s", s.Stages, s.Cost.BottleneckSeconds)
	}
}

// A start placement stays unless the bottleneck gets smaller, even where ties
// would be decided otherwise.
func TestStart(t *testing.T) {
	p := read(t, "paper.json")
	p.Start = []Placed{{2, 0, 1}, {1, 2, 3}}
	if s := solve(t, p, Options{}); !slices.Equal(s.Stages, p.Start) || s.Status != Optimal {
		t.Errorf("an equally good start was left: %v", s.Stages)
	}
	p.Start = []Placed{{0, 0, 1}, {1, 2, 3}}
	if s := solve(t, p, Options{}); slices.Equal(s.Stages, p.Start) {
		t.Error("a worse start was kept")
	}
	p.Start = []Placed{{2, 0, 2}, {1, 3, 3}}
	if s := solve(t, p, Options{}); slices.Equal(s.Stages, p.Start) {
		t.Error("a start that does not fit was kept")
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := cluster(1, 12, 100, 0.4, true, true)
	s, err := Solve(ctx, p, Options{Algorithm: Exact})
	if err != nil || s.Status != Unknown || s.Reason != "stopped: cancelled" {
		t.Errorf("cancelled: %+v, %v", s, err)
	}
	found := solve(t, p, Options{Algorithm: Greedy})
	p.Start = found.Stages
	if s, err = Solve(ctx, p, Options{}); err != nil || s.Status != Feasible || !slices.Equal(s.Stages, p.Start) {
		t.Errorf("cancelled with a start: %+v, %v", s, err)
	}
	big := cluster(1, 60, 200, 0.1, true, true)
	begin := time.Now()
	s = solve(t, big, Options{TimeLimit: 200 * time.Millisecond})
	if took := time.Since(begin); took > 20*time.Second || !strings.HasPrefix(s.Reason, "stopped at the time limit of 200ms") {
		t.Errorf("%s after %v: %s", s.Status, took, s.Reason)
	}
}

// Beyond the subsets of nodes that can be listed, prices and the guided search
// still prove the optimum; and with little work there is a placement and a bound.
func TestLarge(t *testing.T) {
	p := cluster(3, 40, 48, 0.1, false, true)
	if s := solve(t, p, Options{}); s.Status != Optimal {
		t.Errorf("%s, bound %g, gap %g, reason %q", s.Status, s.LowerBoundSeconds, s.Gap(), s.Reason)
	}
	s := solve(t, vitCluster(likeViT(48), 3, 100, arbitrary), Options{WorkLimit: 1 << 22})
	if s.Status != Feasible || s.LowerBoundSeconds <= 0 || s.Gap() >= 1 || s.Reason == "" {
		t.Errorf("%s, bound %g, gap %g, reason %q", s.Status, s.LowerBoundSeconds, s.Gap(), s.Reason)
	}
}

// Forty alike nodes are one class, and exact.
func TestManyAlike(t *testing.T) {
	p := cluster(3, 40, 48, 0.1, false, false)
	for v := range p.Nodes {
		p.Nodes[v] = p.Nodes[0]
		for u := range p.Bandwidth[v] {
			p.Bandwidth[v][u] = 2e7
		}
	}
	if s := solve(t, p, Options{}); s.Status != Optimal || s.Stages[0].Node != 0 {
		t.Errorf("%s: %s", s.Status, s.Reason)
	}
}

func TestSameInputSameSolution(t *testing.T) {
	p := cluster(2, 9, 40, 0.3, true, true)
	for _, a := range []Algorithm{Auto, Exact, Greedy} {
		if diff := cmp.Diff(solve(t, p, Options{Algorithm: a}), solve(t, p, Options{Algorithm: a})); diff != "" {
			t.Errorf("%s: %s", a, diff)
		}
	}
}

func TestBadRequest(t *testing.T) {
	if _, err := Solve(t.Context(), three(), Options{Algorithm: "magic"}); err == nil || !strings.Contains(err.Error(), `unknown algorithm "magic"`) {
		t.Error(err)
	}
	p := three()
	p.Nodes[1].SegmentSeconds[0] = math.NaN()
	for name, err := range map[string]error{
		"Solve":    second(Solve(t.Context(), p, Options{})),
		"Evaluate": second(Evaluate(p, []Placed{{0, 0, 2}})),
		"Verify":   Verify(p, &Solution{}),
	} {
		if err == nil || err.Error() != "nodes[1].segment_seconds[0]: is not a number" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Greedy and the searches for large clusters stay above the optimum, and their
// bounds below it.
func TestOthersAgainstExact(t *testing.T) {
	for seed := range draws(300) {
		p := shape{nodes: 7, segments: 10, draw: rand.New(rand.NewPCG(seed, 2))}.problem()
		exact, greedy := solve(t, p, Options{}), solve(t, p, Options{Algorithm: Greedy})
		if greedy.Cost == nil {
			continue
		}
		if exact.Cost == nil {
			t.Fatalf("seed %d: greedy found a placement where exact has none", seed)
		}
		best := exact.Cost.BottleneckSeconds
		if greedy.LowerBoundSeconds > best || greedy.Cost.BottleneckSeconds < best {
			t.Fatalf("seed %d: greedy %g, bound %g, optimum %g", seed, greedy.Cost.BottleneckSeconds, greedy.LowerBoundSeconds, best)
		}
	}
}
