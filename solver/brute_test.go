package solver

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// best is the brute-force optimum: every list of cuts with every sequence of
// nodes, judged by Evaluate alone and compared as DESIGN.md orders ties.
type best struct {
	stages []Placed
	cost   *Cost
}

func bruteForce(t testing.TB, p *Problem) *best {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	var found *best
	var stages []Placed
	var extend func(first int)
	extend = func(first int) {
		if first == p.Segments() {
			cost, err := p.evaluate(stages)
			var rule *PlacementError
			switch {
			case errors.As(err, &rule):
			case err != nil:
				t.Fatal(err)
			case found == nil || compareBrute(cost, stages, found) < 0:
				found = &best{slices.Clone(stages), cost}
			}
			return
		}
		for v := range p.Nodes {
			if slices.ContainsFunc(stages, func(s Placed) bool { return s.Node == v }) {
				continue
			}
			for last := first; last < p.Segments(); last++ {
				next := Placed{v, first, last}
				if p.checkStageRules(len(stages), next) != nil || p.stageBytes(next) > p.Nodes[v].MemoryBytes {
					continue // it breaks a rule whatever follows
				}
				if found != nil && p.slowerThan(stages, next, found.cost.BottleneckSeconds) {
					continue // something in it is busier than the best bottleneck
				}
				stages = append(stages, next)
				extend(last + 1)
				stages = stages[:len(stages)-1]
			}
		}
	}
	extend(0)
	return found
}

// slowerThan says whether a stage, or the link that brings its input, is busy for
// longer than some seconds by itself.
func (p *Problem) slowerThan(before []Placed, next Placed, seconds float64) bool {
	if toSeconds(p.Nodes[next.Node].rangePS(next)) > seconds {
		return true
	}
	if len(before) == 0 {
		return false
	}
	band := p.Bandwidth[before[len(before)-1].Node][next.Node]
	return band <= 0 || toSeconds(bytesPS(p.CutBytes[next.FirstSegment], linkRate(band))) > seconds
}

func compareBrute(c *Cost, stages []Placed, b *best) int {
	order := cmp.Or(
		cmp.Compare(c.BottleneckSeconds, b.cost.BottleneckSeconds),
		cmp.Compare(c.MovedBytes, b.cost.MovedBytes),
		cmp.Compare(c.LatencySeconds, b.cost.LatencySeconds),
		cmp.Compare(len(stages), len(b.stages)),
		slices.CompareFunc(stages, b.stages, func(x, y Placed) int { return cmp.Compare(x.Node, y.Node) }),
		slices.CompareFunc(stages, b.stages, func(x, y Placed) int { return cmp.Compare(x.LastSegment, y.LastSegment) }))
	return order
}

// shape bounds the random problems.
type shape struct {
	nodes, segments int // at most
	draw            *rand.Rand
}

func (s shape) one(n int) bool { return s.draw.IntN(n) == 0 }

// problem draws a problem with every feature switched on or off at random.
// Numbers come from small sets half of the time, so that ties are common.
func (s shape) problem() *Problem {
	n, l := 1+s.draw.IntN(s.nodes), 1+s.draw.IntN(s.segments)
	coarse := s.one(2)
	pick := func(most int) int64 {
		if coarse {
			return int64(1+s.draw.IntN(3)) * int64(most) / 3
		}
		return int64(s.draw.IntN(most))
	}
	p := &Problem{}
	for range l {
		p.SegmentBytes = append(p.SegmentBytes, pick(90))
		p.CutBytes = append(p.CutBytes, pick(60))
	}
	p.CutBytes = append(p.CutBytes, pick(60))
	if s.one(2) {
		for range l {
			p.ActivationBytes = append(p.ActivationBytes, pick(50))
		}
		p.InBuffers, p.OutBuffers = int64(s.draw.IntN(3)), int64(s.draw.IntN(3))
	}
	s.nodesOf(p, n, l, pick)
	s.linksOf(p, n, pick)
	s.limitsOf(p, n, l)
	return p
}

func (s shape) nodesOf(p *Problem, n, l int, pick func(int) int64) {
	roomy, same := s.one(2), s.one(4) // same nodes also get same links
	for v := range n {
		node := Node{Name: fmt.Sprintf("v%d", v), MemoryBytes: 60 + pick(90*l/2+60), BaseBytes: pick(10)}
		if roomy {
			node.MemoryBytes += int64(90 * l)
		}
		for range l {
			node.SegmentSeconds = append(node.SegmentSeconds, float64(pick(300))/100)
		}
		if s.one(3) {
			node.CPUSecondsPerByte = float64(pick(30)) / 1000
		}
		if s.one(3) {
			node.StageSeconds = float64(pick(100)) / 100
		}
		if s.one(5) {
			s.ranges(&node, l, pick)
		}
		if same && v > 0 {
			node = p.Nodes[0]
		}
		p.Nodes = append(p.Nodes, node)
	}
}

func (s shape) linksOf(p *Problem, n int, pick func(int) int64) {
	missing, flat := s.draw.IntN(3), s.one(4)
	for u := range n {
		p.Bandwidth = append(p.Bandwidth, make([]float64, n))
		for v := range n {
			if u != v && !(missing > 0 && s.one(5-missing)) {
				p.Bandwidth[u][v] = float64(5 + pick(90))
			}
			if u != v && (flat || n > 1 && p.Nodes[0].Name == p.Nodes[1].Name) {
				p.Bandwidth[u][v] = 40
			}
		}
	}
	if s.one(3) {
		for u := range n {
			p.Latency = append(p.Latency, make([]float64, n))
			for v := range n {
				p.Latency[u][v] = float64(pick(30)) / 10
			}
		}
	}
	for range s.draw.IntN(3) {
		var shared Shared
		for u := range n {
			for v := range n {
				if u != v && s.one(2) {
					shared.Pairs = append(shared.Pairs, [2]int{u, v})
				}
			}
		}
		p.Shared = append(p.Shared, shared)
	}
	if s.one(2) {
		g := s.draw.IntN(n)
		p.Gateway = &g
	}
	if s.one(3) {
		no := false
		p.Overlap = &no
	}
	for v := range p.Nodes {
		if s.one(4) {
			p.Nodes[v].SendBytesPerSecond = float64(5 + pick(60))
		}
		if s.one(4) {
			p.Nodes[v].ReceiveBytesPerSecond = float64(5 + pick(60))
		}
	}
}

// ranges draws measured times, shorter or longer than the sum of the segments.
func (s shape) ranges(node *Node, l int, pick func(int) int64) {
	for first := range l {
		for last := first; last < l; last++ {
			if s.one(4) {
				node.RangeSeconds = append(node.RangeSeconds, Range{first, last, float64(pick(300)) * float64(last-first+1) / 150})
			}
		}
	}
}

func (s shape) limitsOf(p *Problem, n, l int) {
	if s.one(3) {
		p.AllowedCuts = []int{}
		for b := 1; b < l; b++ {
			if !s.one(3) {
				p.AllowedCuts = append(p.AllowedCuts, b)
			}
		}
	}
	if s.one(4) {
		p.MaxStages = 1 + s.draw.IntN(n)
	}
	for s.one(3) && len(p.Pinned) < 2 {
		p.Pinned = append(p.Pinned, Pin{s.draw.IntN(l), s.draw.IntN(n)})
	}
	if s.one(5) {
		p.ExcludedNodes = []int{s.draw.IntN(n)}
	}
	if s.one(3) {
		for range n {
			held := make([]int64, l)
			for b := range held {
				if s.one(2) {
					held[b] = p.SegmentBytes[b]
				}
			}
			p.HeldBytes = append(p.HeldBytes, held)
		}
	}
}

// The exact search finds the very placement of brute force, ties included, or
// proves that there is none.
func TestExactEqualsBruteForce(t *testing.T) {
	statuses := map[Status]int{}
	for seed := range draws(1500) {
		s := shape{nodes: 7, segments: 12, draw: rand.New(rand.NewPCG(seed, 1))}
		if seed%20 != 0 { // brute force takes long on the largest
			s.nodes, s.segments = 5, 8
		}
		p := s.problem()
		want := bruteForce(t, p)
		got, err := Solve(t.Context(), p, Options{Algorithm: Exact, TimeLimit: 10 * time.Second})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := Verify(p, got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		statuses[got.Status]++
		switch {
		case want == nil && got.Status != Infeasible:
			t.Fatalf("seed %d: status %s, but nothing fits", seed, got.Status)
		case want != nil && got.Status != Optimal:
			t.Fatalf("seed %d: status %s (%s), but the optimum is %v", seed, got.Status, got.Reason, want.stages)
		case want != nil && !slices.Equal(got.Stages, want.stages):
			t.Fatalf("seed %d: got %v (%g s), brute force %v (%g s)", seed, got.Stages, got.Cost.BottleneckSeconds, want.stages, want.cost.BottleneckSeconds)
		}
	}
	if statuses[Optimal] < int(draws(600)) || statuses[Infeasible] < int(draws(50)) {
		t.Errorf("the draw is lopsided: %v", statuses)
	}
	t.Log(statuses)
}

// The same where every node does one thing at a time and every link differs, so
// that what a stage may do depends on the links before and behind it.
func TestExactEqualsBruteForceWithoutOverlap(t *testing.T) {
	no := false
	for seed := range draws(400) {
		s := shape{nodes: 5, segments: 7, draw: rand.New(rand.NewPCG(seed, 7))}
		p := s.problem()
		p.Overlap, p.MaxStages, p.Pinned = &no, 0, nil
		for v := range p.Nodes {
			p.Nodes[v].MemoryBytes = p.Nodes[v].MemoryBytes/2 + 60
			for u := range p.Nodes {
				p.Bandwidth[v][u] = 10 + 200*s.draw.Float64()
			}
		}
		want := bruteForce(t, p)
		got, err := Solve(t.Context(), p, Options{Algorithm: Exact, TimeLimit: 10 * time.Second})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if want == nil && got.Status != Infeasible || want != nil && !slices.Equal(got.Stages, want.stages) {
			t.Fatalf("seed %d: %s %v (%s), brute force %+v", seed, got.Status, got.Stages, got.Reason, want)
		}
	}
}
