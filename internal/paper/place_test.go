package paper

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// network has the given bandwidths and 1 for every other pair.
func network(n int, fast map[[2]int]float64) Network {
	net := make(Network, n)
	for u := range net {
		net[u] = slices.Repeat([]float64{1}, n)
	}
	for pair, band := range fast {
		net[pair[0]][pair[1]], net[pair[1]][pair[0]] = band, band
	}
	return net
}

func draw(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestRuns(t *testing.T) {
	class := []int{1, 2, 1, 1, 2, 2, 2, 1}
	if diff := cmp.Diff([]run{{4, 3}, {1, 1}}, runs(class, 2), cmp.AllowUnexported(run{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]run{{2, 2}, {0, 1}, {7, 1}}, runs(class, 1), cmp.AllowUnexported(run{})); diff != "" {
		t.Error(diff)
	}
}

// A run finds the only path over fast links; a run of a lower class joins it at the
// end that is given.
func TestKPathMatching(t *testing.T) {
	net := network(6, map[[2]int]float64{{4, 2}: 9, {2, 0}: 9, {0, 5}: 7, {5, 1}: 8})
	c := chain([]float64{10, 10, 2, 12, 0}, make([]int64, 5))
	p, err := KPathMatching(c, net, []int{0, 1, 2}, 4, draw(1))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Nodes; !slices.Equal(got, []int{4, 2, 0, 5}) && !slices.Equal(got, []int{0, 2, 4, got[3]}) {
		t.Errorf("nodes %v", got)
	}
}

// The largest transfer of all is in no class, so a partition that cuts it fails.
func TestTheLargestTransferIsNeverMatched(t *testing.T) {
	c := chain([]float64{10, 5, 0}, make([]int64, 3))
	if p, err := KPathMatching(c, network(4, nil), []int{0}, 20, draw(1)); !errors.Is(err, ErrUnmatched) {
		t.Errorf("placed on %v, error %v", p, err)
	}
	if _, err := KPathMatching(c, network(4, nil), []int{1}, 20, draw(1)); err != nil {
		t.Error(err)
	}
}

// Paths are simple, long enough, fast enough and keep their ends; and one is found
// when an exhaustive search finds one, but for the odds of colour coding.
func TestColourCode(t *testing.T) {
	found, missed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		n := rapid.IntRange(2, 9).Draw(t, "nodes")
		k := rapid.IntRange(2, min(n, 5)).Draw(t, "k")
		s := rapid.IntRange(unmatched, n-1).Draw(t, "s")
		u := rapid.IntRange(unmatched, n-1).Draw(t, "u")
		if s == u && s != unmatched {
			t.Skip("one node at both ends")
		}
		net := NewNetwork(n, draw(seed))
		m := &matching{net: net, free: slices.Repeat([]bool{true}, n), draw: draw(seed + 1)}
		rates := m.rates()
		rate := rates[rapid.IntRange(0, len(rates)-1).Draw(t, "rate")]
		path := m.colourCode(rate, k, s, u)
		switch exists := !m.subgraph(rate).lacksPath(k, s, u); {
		case path == nil && exists:
			missed++
		case path != nil && !exists:
			t.Fatalf("%v is no path", path)
		case path != nil:
			found++
			checkPath(t, net, path, k, rate, s, u)
		}
	})
	if found < 20 || missed*20 > found {
		t.Errorf("found %d paths and missed %d", found, missed)
	}
}

func checkPath(t *rapid.T, net Network, path []int, k int, rate float64, s, u int) {
	if len(path) != k || s != unmatched && path[0] != s || u != unmatched && path[k-1] != u {
		t.Fatalf("%v is no path of %d nodes from %d to %d", path, k, s, u)
	}
	for i := 1; i < k; i++ {
		if net[path[i-1]][path[i]] < rate || slices.Contains(path[:i], path[i]) {
			t.Fatalf("%v is no simple path at %v", path, rate)
		}
	}
}

// The walk takes the fastest link each time, so it can end up on a slow one; the best
// start wins.
func TestGreedy(t *testing.T) {
	net := network(4, map[[2]int]float64{{0, 1}: 9, {1, 2}: 5, {2, 3}: 8})
	c := chain([]float64{10, 10, 10, 0}, make([]int64, 4))
	if diff := cmp.Diff([]int{0, 1, 2}, net.walk(0, 3)); diff != "" {
		t.Error(diff)
	}
	p := Greedy(c, net, []int{0, 1})
	if got := p.Bottleneck(c, net); got != 2 {
		t.Errorf("bottleneck %v on %v", got, p.Nodes)
	}
	if got := p.PlacementBound(c, net); got != 10.0/9 {
		t.Errorf("bound %v", got)
	}
}

func TestRandom(t *testing.T) {
	c := chain([]float64{1, 2, 3, 4, 5, 0}, []int64{10, 10, 10, 10, 10, 0})
	cuts := map[int]int{}
	for seed := range uint64(500) {
		p, err := Random(c, network(5, nil), 11, draw(seed))
		if err != nil {
			t.Fatal(err)
		}
		cuts[p.Cuts[0]]++
		if len(p.Nodes) != 2 || p.Nodes[0] == p.Nodes[1] {
			t.Fatalf("nodes %v", p.Nodes)
		}
	}
	for cut := range 4 { // packing ends with point 3
		if cuts[cut] < 90 {
			t.Errorf("cut %d was drawn %d times of 500", cut, cuts[cut])
		}
	}
	if _, err := Random(c, network(5, nil), 100, draw(1)); !errors.Is(err, ErrOneNode) {
		t.Error(err)
	}
	if _, err := Random(c, network(2, nil), 1, draw(1)); !errors.Is(err, ErrMemory) {
		t.Error(err)
	}
}

// The generator has the bandwidths that the published one has on average.
func TestNetwork(t *testing.T) {
	for n, want := range map[int]float64{5: 9.4, 10: 11.8, 15: 12.8, 20: 13.8, 50: 16.3} {
		var fastest, all, pairs float64
		const networks = 400
		for seed := range uint64(networks) {
			net := NewNetwork(n, draw(seed))
			fastest += net.Fastest() / networks
			for u := range net {
				for v := range u {
					all, pairs = all+net[u][v], pairs+1
				}
			}
		}
		if mean := all / pairs; math.Abs(mean-6.03) > 0.1 {
			t.Errorf("%d nodes: mean bandwidth %.2f Mbps", n, mean)
		}
		if math.Abs(fastest-want) > 0.35 {
			t.Errorf("%d nodes: mean best link %.2f Mbps, want %v", n, fastest, want)
		}
	}
}
