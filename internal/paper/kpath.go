package paper

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// KPathMatching is the paper's placement of a partition. The cuts of one transfer
// class after the other, from the highest, are placed in runs, the longest first, on
// paths whose slowest link is as fast as a bisection over the bandwidths finds.
//
// It returns ErrUnmatched when a part is left without a node: colour coding did not
// find a path, nodes that were taken cut off the rest, or the largest transfer of all
// is cut, which no class holds.
func KPathMatching(c *Chain, net Network, cuts []int, classes int, draw *rand.Rand) (*Placement, error) {
	k := &matching{net: net, free: make([]bool, len(net)), draw: draw}
	for v := range net {
		k.free[v] = true
	}
	k.nodes = slices.Repeat([]int{unmatched}, len(cuts)+1) // N = nil
	class := c.Classes(cuts, classes)
	for x := classes; x >= 1; x-- {
		for _, r := range runs(class, x) {
			k.match(r.start, r.length)
		}
	}
	if slices.Contains(k.nodes, unmatched) {
		return nil, ErrUnmatched
	}
	return &Placement{Cuts: cuts, Nodes: k.nodes}, nil
}

const unmatched = -1

// matching is one run of KPathMatching.
type matching struct {
	net   Network
	nodes []int  // N
	free  []bool // G
	draw  *rand.Rand
}

// run is a maximal stretch of cuts of one class.
type run struct{ start, length int }

// runs gives the runs of a class, the longest first.
func runs(class []int, x int) []run {
	var out []run
	for start := 0; start < len(class); {
		end := start
		for end < len(class) && class[end] == x {
			end++
		}
		if end > start {
			out = append(out, run{start, end - start})
		}
		start = end + 1
	}
	slices.SortStableFunc(out, func(a, b run) int { return cmp.Compare(b.length, a.length) })
	return out
}

// match places the parts at both sides of each cut of a run. An end that a run of
// a higher class has placed stays, and may be used once more.
func (k *matching) match(start, length int) {
	s, u := k.nodes[start], k.nodes[start+length]
	for _, v := range []int{s, u} {
		if v != unmatched {
			k.free[v] = true
		}
	}
	path := slices.Repeat([]int{unmatched}, length+1)
	rates := k.rates()
	for low, high := 0, len(rates)-1; low <= high; {
		mid := low + (high-low)/2
		if found := k.colourCode(rates[mid], length+1, s, u); found != nil {
			path, high = found, mid-1
		} else {
			low = mid + 1
		}
	}
	for i, v := range path {
		k.nodes[start+i] = v
		if v != unmatched {
			k.free[v] = false
		}
	}
}

// rates are the bandwidths of the edges between free nodes, descending.
func (k *matching) rates() []float64 {
	var out []float64
	for u := range k.net {
		for v := range u {
			if k.free[u] && k.free[v] {
				out = append(out, k.net[u][v])
			}
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}
