package solver

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Every reason names the limit, by how much it is missed, and what is enough.
func TestInfeasible(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Problem)
		want   string
	}{
		{"segment too large", func(p *Problem) { p.SegmentBytes[2] = 310 << 20; p.SegmentNames = []string{"", "", "Conv_12", ""} },
			"segment 2 (Conv_12) needs 310.0 MiB on a node; the largest node, n1, allows 20 B: 310.0 MiB too little; " +
				"enough would be 310.0 MiB more memory on n1, or 310.0 MiB more memory on every node"},
		{"segment too large for its node, base included", func(p *Problem) {
			p.SegmentBytes[2], p.Pinned, p.Nodes[1].BaseBytes = 15, []Pin{{2, 1}}, 7
		}, "segment 2 is pinned and needs 22 B on n2 (7 B of it whatever runs there), which allows 20 B: 2 B too little; enough would be 2 B more memory on n2"},
		{"buffers too large", func(p *Problem) { p.CutBytes[2], p.InBuffers, p.AllowedCuts = 50, 1, []int{2} },
			"the block from segment 2 to segment 3, in which no cut is allowed, needs 40 B on a node (20 B for activations and the buffers of its cuts); the largest"},
		{"block too large", func(p *Problem) { p.AllowedCuts = []int{1} },
			"the block from segment 1 to segment 3, in which no cut is allowed, needs 30 B on a node; the largest node, n1, allows 20 B: 10 B too little; " +
				"enough would be 10 B more memory on n1, or 10 B more memory on every node, or a cut allowed at position 2, before segment 2"},
		{"too many stages for the nodes", func(p *Problem) { p.ExcludedNodes = []int{0}; p.SegmentBytes[0] = 20; p.SegmentBytes[3] = 20 },
			"at least 3 stages of at most 20 B are needed, since no node allows a larger one; 2 nodes are available; " +
				"enough would be 20 B more memory on n2, or 10 B more memory on every node, or 1 node more like n2, or using n1, which is excluded now"},
		{"too many stages for max_stages", func(p *Problem) { p.MaxStages = 1 },
			"at least 2 stages of at most 20 B are needed, since no node allows a larger one; max_stages allows 1; " +
				"enough would be 20 B more memory on n1, or 20 B more memory on every node, or a max_stages of 2"},
		{"links", func(p *Problem) { p.Bandwidth = [][]float64{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}} },
			"no path of 2 to 3 nodes with links holds the stages; without regard to links 2 are enough; " +
				"enough would be 20 B more memory on n1, or 20 B more memory on every node, or a link n1 -> n2"},
		{"links from the gateway", func(p *Problem) {
			g := 0
			p.Gateway, p.ExcludedNodes = &g, []int{0}
			p.Bandwidth[0][1], p.Bandwidth[0][2] = 0, 0
		}, "the gateway, n1, has no link to any node that may run a stage; enough would be a link n1 -> n2"},
		{"links to the gateway", func(p *Problem) {
			g := 0
			p.Gateway, p.ExcludedNodes = &g, []int{0}
			p.Bandwidth[1][0], p.Bandwidth[2][0] = 0, 0
		}, "no node that may run a stage has a link to the gateway, n1; enough would be a link n2 -> n1"},
		{"the gateway reaches a small node only", func(p *Problem) {
			g := 0
			p.Gateway, p.ExcludedNodes = &g, []int{0}
			p.Bandwidth[0][2], p.Nodes[1].MemoryBytes, p.Nodes[2].MemoryBytes = 0, 5, 100
		}, "requests enter at the gateway, n1, and segment 0 cannot run, by memory and pins, on a node that it reaches: n2; enough would be 5 B more memory on n2"},
		{"pinned to an excluded node", func(p *Problem) { p.Pinned, p.ExcludedNodes = []Pin{{1, 2}}, []int{2} },
			"segment 1 is pinned to n3, which is excluded; enough would be no pin of segment 1 to n3, or using n3, which is excluded now"},
		{"pinned twice", func(p *Problem) { p.Pinned = []Pin{{1, 2}, {1, 0}} },
			"segment 1 is pinned to two nodes, n3 and n1; enough would be no pin of segment 1 to n3"},
		{"pinned without a cut between", func(p *Problem) { p.Pinned, p.AllowedCuts = []Pin{{0, 2}, {1, 0}}, []int{2} },
			"segment 0 is pinned to n3 and segment 1 to n1, but no cut is allowed between them; " +
				"enough would be no pin of segment 0 to n3, or a cut allowed at position 1, before segment 1"},
		{"pinned in between", func(p *Problem) { p.Pinned = []Pin{{0, 2}, {1, 1}, {3, 2}} },
			"segment 0 and segment 3 are pinned to n3, and segment 1 between them to n2; a node holds one stage; enough would be no pin of segment 0 to n3"},
		{"pins and memory", func(p *Problem) { p.Pinned = []Pin{{0, 2}, {3, 2}} },
			"the stage from segment 0 to segment 3, both pinned, needs 40 B on n3, which allows 20 B: 20 B too little; " +
				"enough would be 20 B more memory on n3, or 20 B more memory on every node, or no pin of segment 0 to n3"},
		{"pins and links", func(p *Problem) {
			p.Pinned = []Pin{{0, 0}, {3, 1}}
			p.Bandwidth[0][1], p.Bandwidth[0][2] = 0, 0
		}, "no path of 2 to 3 nodes with links holds the stages; without regard to links 2 are enough; enough would be a link n1 -> n2, or no pin of segment 0 to n1"},
		{"all excluded", func(p *Problem) { p.ExcludedNodes = []int{0, 1, 2} },
			"all 3 nodes are excluded; enough would be using n1, which is excluded now and using n2, which is excluded now together"},
		{"memory as a whole", func(p *Problem) { p.Nodes[0].MemoryBytes, p.Nodes[2].MemoryBytes = 5, 5 },
			"the segments need 40 B in all, without activations and buffers; the 3 nodes have 30 B for them: 10 B too little; " +
				"enough would be 15 B more memory on n1, or 5 B more memory on every node, or 1 node more like n2"},
		{"no single limit", func(p *Problem) {
			p.Pinned, p.ExcludedNodes, p.MaxStages = []Pin{{1, 2}, {1, 0}}, []int{0}, 1
		}, "segment 1 is pinned to n1, which is excluded; enough would be no pin of segment 1 to n1 and a max_stages of 2 together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := read(t, "paper.json")
			for v, name := range []string{"n1", "n2", "n3"} {
				p.Nodes[v].Name = name
			}
			c.change(p)
			s := solve(t, p, Options{})
			if s.Status != Infeasible || !strings.HasPrefix(s.Reason, c.want) {
				t.Errorf("%s: %s\nwant: %s", s.Status, s.Reason, c.want)
			}
		})
	}
}

// What a caller cannot change is left out, with all that needs it.
func TestConflictWithout(t *testing.T) {
	c := &Conflict{Limit: "too small", Remedies: []Remedy{
		{"a", []ChangeKind{MemoryChange}}, {"b and c together", []ChangeKind{PinChange, StagesChange}}, {"d", []ChangeKind{LinkChange}},
	}}
	if got := c.Without(StagesChange, LinkChange).String(); got != "too small; enough would be a" {
		t.Error(got)
	}
	if got := c.String(); got != "too small; enough would be a, or b and c together, or d" {
		t.Error(got)
	}
}

// impossibleProblem draws a problem that has no placement.
func impossibleProblem(t *rapid.T) *Problem {
	draw := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
	for {
		p := shape{nodes: 5, segments: 7, draw: draw}.problem()
		for v := range p.Nodes {
			p.Nodes[v].MemoryBytes = p.Nodes[v].MemoryBytes*2/3 + 20
		}
		if optimum(t, p).Status == Infeasible {
			return p
		}
	}
}

// No reason is untrue: what falls just short of the limit that is named leaves
// the problem infeasible; each remedy makes a placement possible, and no less of
// it does.
func TestReasonsAreTrue(t *testing.T) {
	limits, combined := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		p := impossibleProblem(t)
		d := newDiagnosis(t.Context(), p)
		limit := d.limit()
		for _, short := range limit.short {
			mustBe(t, Infeasible, p, "short of: "+limit.text, short)
		}
		remedies := d.remedies()
		if len(remedies) == 0 {
			t.Fatalf("nothing helps: %s", limit.text)
		}
		for _, r := range remedies {
			mustBe(t, Optimal, p, limit.text+"; "+r.text(), r.changes...)
			if r.short != nil {
				mustBe(t, Infeasible, p, limit.text+"; less than "+r.text(), r.short...)
			}
			for k := range r.changes {
				mustBe(t, Infeasible, p, limit.text+"; a part of "+r.text(), append(r.changes[:k:k], r.changes[k+1:]...)...)
			}
			combined += len(r.changes) / 2
		}
		limits[strings.SplitN(limit.text, " ", 3)[0]]++
	})
	if combined == 0 {
		t.Error("no remedy had several parts")
	}
	t.Log(limits, combined)
}

func mustBe(t *rapid.T, want Status, p *Problem, what string, changes ...change) {
	t.Helper()
	if got := optimum(t, p.with(changes...)); got.Status != want {
		t.Fatalf("%s: %s, want %s", what, got.Status, want)
	}
}

// What is printed is rounded up, so that it is enough.
func TestAtLeast(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1025: "1.1 KiB", 310 << 20: "310.0 MiB", 310<<20 + 1: "310.1 MiB",
		1<<63 - 1: "8589934592.0 GiB",
	} {
		if got := atLeast(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
