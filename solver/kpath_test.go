package solver

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paperChain is a chain in the paper's sense: one capacity for all nodes, transfers
// only, a complete graph whose bandwidths are those of the first row on.
func paperChain(cuts, segments []int64, capacity int64, bandwidth [][]float64) *Problem {
	p := &Problem{CutBytes: cuts, SegmentBytes: segments, Bandwidth: bandwidth}
	for range bandwidth {
		p.Nodes = append(p.Nodes, Node{MemoryBytes: capacity, SegmentSeconds: make([]float64, len(segments))})
	}
	return p
}

func flat(n int, band float64) [][]float64 {
	var out [][]float64
	for range n {
		out = append(out, slices.Repeat([]float64{band}, n))
	}
	return out
}

// The cuts have the least sum of bytes, not the least maximum.
func TestPartitionMinimisesTheSum(t *testing.T) {
	for _, c := range []struct {
		name     string
		cuts     []int64
		capacity int64
		nodes    int
		want     []int // ends
	}{
		{"one part", []int64{0, 1, 1, 1, 0}, 40, 4, []int{4}},
		{"one large cut beats two that are smaller", []int64{0, 6, 10, 6, 0}, 20, 4, []int{2, 4}},
		{"two small cuts beat a large one", []int64{0, 4, 10, 4, 0}, 20, 4, []int{1, 3, 4}},
		{"no node fits a segment", []int64{0, 4, 10, 4, 0}, 9, 4, nil},
		{"too few nodes", []int64{0, 4, 10, 4, 0}, 10, 3, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(paperChain(c.cuts, []int64{10, 10, 10, 10}, c.capacity, flat(c.nodes, 1)))
			if diff := cmp.Diff(c.want, m.partition()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Bins of equal width; the most is in the highest, where it is matched first.
func TestTransferClasses(t *testing.T) {
	m := newModel(paperChain([]int64{0, 10, 49, 50, 60, 110, 0}, make([]int64, 6), 10, flat(6, 1)))
	for classes, want := range map[int][]int{1: {1, 1, 1, 1, 1}, 2: {1, 1, 1, 2, 2}, 5: {1, 2, 3, 3, 5}} {
		if diff := cmp.Diff(want, m.transferClasses([]int{1, 2, 3, 4, 5, 6}, classes)); diff != "" {
			t.Errorf("C = %d: %s", classes, diff)
		}
	}
}

// Runs of the same class go together: of higher classes first, then the longest.
func TestRuns(t *testing.T) {
	want := [][2]int{{3, 1}, {5, 2}, {4, 1}, {0, 3}}
	if diff := cmp.Diff(want, runs([]int{1, 1, 1, 20, 7, 9, 9})); diff != "" {
		t.Error(diff)
	}
	if got := runs(slices.Repeat([]int{1}, kPathLongest)); len(got) != 2 {
		t.Errorf("a run of %d stages is one piece", kPathLongest+1)
	}
}

// The only path over fast links is found, ends that are given are kept.
func TestColourCode(t *testing.T) {
	band := flat(6, 1)
	for _, e := range [][2]int{{4, 2}, {2, 0}, {0, 5}} {
		band[e[0]][e[1]], band[e[1]][e[0]] = 9, 9
	}
	p := paperChain([]int64{0, 7, 7, 7, 0}, []int64{10, 10, 10, 10}, 10, band)
	m := newModel(p)
	got := m.kPathMatching([]int{1, 2, 3, 4}, 20, 1, &budget{ctx: t.Context()})
	if got != nil && got[0] == 5 {
		slices.Reverse(got)
	}
	if diff := cmp.Diff([]int{4, 2, 0, 5}, got); diff != "" {
		t.Error(diff)
	}
	k := &matching{m: m, free: map[int]bool{0: true, 2: true}, b: &budget{ctx: t.Context()}, draw: rand.New(rand.NewPCG(1, 0))}
	if diff := cmp.Diff([]int{5, 0, 2, 4}, k.colourCode(9, 4, 5, 4)); diff != "" {
		t.Error(diff)
	}
	if got := k.colourCode(9, 3, 5, 4); got != nil {
		t.Errorf("there is no path of 3 nodes from 5 to 4: %v", got)
	}
}

// Every algorithm keeps the rules on problems with every feature, is no better than
// the optimum, and gives the same for the same seed.
func TestAlgorithmsKeepTheRules(t *testing.T) {
	found := map[Algorithm]int{}
	for seed := range draws(300) {
		p := shape{nodes: 6, segments: 8, draw: rand.New(rand.NewPCG(seed, 5))}.problem()
		best, err := Solve(t.Context(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range Algorithms() {
			s, err := Solve(t.Context(), p, Options{Algorithm: a, Seed: seed})
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, a, err)
			}
			if err := Verify(p, s); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, a, err)
			}
			if again, _ := Solve(t.Context(), p, Options{Algorithm: a, Seed: seed}); !cmp.Equal(s, again) {
				t.Fatalf("seed %d, %s: two answers", seed, a)
			}
			if s.Cost == nil {
				continue
			}
			found[a]++
			if best.Cost == nil || s.Cost.BottleneckSeconds < best.Cost.BottleneckSeconds {
				t.Fatalf("seed %d, %s: better than the optimum", seed, a)
			}
		}
	}
	for _, a := range Algorithms() {
		if found[a] < int(draws(60)) {
			t.Errorf("%s found only %d placements", a, found[a])
		}
	}
	t.Log(found)
}
