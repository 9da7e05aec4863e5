package solver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func explain(t testing.TB, p *Problem, s *Solution) *Explanation {
	t.Helper()
	x, err := Explain(t.Context(), p, s, ExplainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// lines writes an explanation down.
func (x *Explanation) lines(p *Problem) string {
	var out strings.Builder
	for _, r := range x.Resources {
		fmt.Fprintf(&out, "%s %.3f s, slack %.3f s\n", p.ResourceName(r.Resource), r.Seconds, r.SlackSeconds)
	}
	for _, g := range x.Gains {
		fmt.Fprintf(&out, "%s: %.3f s, %+.1f %%, proven %v, moves %v\n", g.Change, g.BottleneckSeconds, 100*g.Gain, g.Proven, g.Moves)
	}
	return out.String()
}

// Two stages of three segments on two small nodes: what holds them up, and what
// would help, each found by solving again.
func TestExplain(t *testing.T) {
	p := &Problem{
		CutBytes: []int64{0, 20, 30, 0}, SegmentBytes: []int64{50, 60, 70}, MaxStages: 2, Pinned: []Pin{{2, 1}},
		Nodes: []Node{
			{Name: "hall", MemoryBytes: 100, SegmentSeconds: []float64{2, 2, 2}},
			{Name: "roof", MemoryBytes: 140, SegmentSeconds: []float64{2.2, 2.2, 2.2}},
			{Name: "shed", MemoryBytes: 140, SegmentSeconds: []float64{1, 1, 1}},
		},
		Bandwidth: [][]float64{{0, 10, 10}, {10, 0, 10}, {10, 7, 0}},
	}
	s := solve(t, p, Options{})
	want := `link shed -> roof 4.286 s, slack 0.000 s
node roof 2.200 s, slack 2.086 s
node shed 2.000 s, slack 2.286 s
no pin of segment 2 to roof: 2.000 s, +114.3 %, proven true, moves true
a max_stages of 3: 3.000 s, +42.9 %, proven true, moves true
10% more bandwidth on link shed -> roof: 3.896 s, +10.0 %, proven true, moves false
10% more compute on roof: 4.000 s, +7.1 %, proven true, moves true
10 B more memory on hall: 4.000 s, +7.1 %, proven true, moves true
`
	if got := explain(t, p, s).lines(p); got != want {
		t.Errorf("%v\ngot:\n%swant:\n%s", s.Stages, got, want)
	}
}

// What is said to help does: with the change made, the exact optimum is the one
// that is predicted, or better where it is not proven. A smaller step of memory
// does not.
func TestGainsAreTrue(t *testing.T) {
	kinds := map[ChangeKind]int{}
	rapid.Check(t, func(t *rapid.T) {
		p, s, _ := drawn(t)
		if s.Cost == nil {
			return
		}
		x, err := Explain(t.Context(), p, s, ExplainOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if x.Untried > 0 {
			t.Fatalf("%d changes were not tried", x.Untried)
		}
		for _, g := range x.Gains {
			kinds[g.Kind]++
			with, less := changed(p, s, g)
			if with == nil {
				continue
			}
			best := optimum(t, with).Cost.BottleneckSeconds
			if best > g.BottleneckSeconds || g.Proven && best < g.BottleneckSeconds {
				t.Fatalf("%s: %g s, proven %v; the optimum is %g s", g.Change, g.BottleneckSeconds, g.Proven, best)
			}
			if less != nil && optimum(t, less).Cost.BottleneckSeconds < s.Cost.BottleneckSeconds {
				t.Fatalf("less than %s also helps", g.Change)
			}
		}
	})
	for _, k := range []ChangeKind{BandwidthChange, ComputeChange, MemoryChange, NodeChange, PinChange, StagesChange} {
		if kinds[k] == 0 {
			t.Errorf("no gain of kind %s: %v", k, kinds)
		}
	}
	if kinds[PlacementChange] > 0 {
		t.Error("another placement is better than the proven optimum")
	}
	t.Log(kinds)
}

// changed makes the change of a gain by itself, and one that is less of it.
func changed(p *Problem, s *Solution, g Gain) (with, less *Problem) {
	q := *p
	q.Nodes, q.Start = slices.Clone(p.Nodes), s.Stages
	v := g.Resource.From
	switch g.Kind {
	case MemoryChange:
		before := q
		before.Nodes = slices.Clone(p.Nodes)
		q.Nodes[v].MemoryBytes += g.Bytes
		before.Nodes[v].MemoryBytes += g.Bytes - 1
		return &q, &before
	case ComputeChange:
		node := &q.Nodes[v]
		node.StageSeconds /= 1.1
		node.CPUSecondsPerByte /= 1.1
		node.SegmentSeconds, node.RangeSeconds = slices.Clone(node.SegmentSeconds), slices.Clone(node.RangeSeconds)
		for k := range node.SegmentSeconds {
			node.SegmentSeconds[k] /= 1.1
		}
		for k := range node.RangeSeconds {
			node.RangeSeconds[k].Seconds /= 1.1
		}
		return &q, nil
	case StagesChange:
		q.MaxStages++
		return &q, nil
	case BandwidthChange:
		if g.Resource.Kind == LinkResource {
			q.Bandwidth = slices.Clone(p.Bandwidth)
			q.Bandwidth[v] = slices.Clone(p.Bandwidth[v])
			q.Bandwidth[v][g.Resource.To] *= 1.1
			return &q, nil
		}
	}
	return nil, nil
}

// The same input gives the same explanation, and a cluster of 20 nodes has one.
func TestExplainTwenty(t *testing.T) {
	p := cluster(1, 20, 48, 0.2, true, true)
	s := solve(t, p, Options{WorkLimit: 1 << 21})
	var all []*Explanation
	for range 2 {
		x, err := Explain(t.Context(), p, s, ExplainOptions{WorkLimit: int64(largest(1<<23, 1<<21))})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" {
		t.Error(diff)
	}
	if len(all[0].Gains) == 0 || all[0].Untried == 0 {
		t.Errorf("within little work %d changes were tried, %d not:\n%s", all[0].Tried, all[0].Untried, all[0].lines(p))
	}
}

func TestExplainNothing(t *testing.T) {
	if _, err := Explain(t.Context(), three(), &Solution{Status: Infeasible}, ExplainOptions{}); err == nil || err.Error() != "there is no placement to explain" {
		t.Error(err)
	}
}

// Of several models on one cluster a faster node, a faster link and one more node
// are tried as well, and every gain is real: the changed problem has a placement with
// that bottleneck.
func TestExplainModels(t *testing.T) {
	for seed := range uint64(20) {
		p := manyModels(seed, 2, 4, 6, false, false)
		s := solve(t, p, Options{})
		if s.Cost == nil {
			continue
		}
		x := explain(t, p, s)
		if x.Untried > 0 || x.Tried < len(x.Resources) {
			t.Errorf("seed %d: %d changes tried, %d not, for %d resources", seed, x.Tried, x.Untried, len(x.Resources))
		}
		for _, g := range x.Gains {
			if g.BottleneckSeconds >= s.Cost.BottleneckSeconds || g.Gain <= 0 {
				t.Errorf("seed %d: %s: no gain: %+v", seed, g.Change, g)
			}
			if s.Status == Optimal && g.Kind == PlacementChange {
				t.Errorf("seed %d: a placement better than the optimum", seed)
			}
		}
		if s.Status == Optimal && s.Cost.Bottleneck.Kind == NodeResource && len(x.Gains) == 0 {
			t.Errorf("seed %d: nothing helps %s", seed, p.ResourceName(s.Cost.Bottleneck))
		}
	}
}
