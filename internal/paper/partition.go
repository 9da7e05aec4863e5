package paper

import (
	"math"
	"slices"
)

// Mebibyte is the published unit of a node's capacity.
const Mebibyte = 1 << 20

// Fits is the published rule for the candidate points from..to-1 on one node. The
// block behind the last of them is left out here, and the part that follows starts
// behind it, so of each cut the block is counted on neither side.
func (c *Chain) Fits(from, to int, capacity int64) bool {
	return total(c.Block[from:max(from, to-1)]) < capacity
}

// Partition is the paper's partitioning: a graph has a vertex (i, j) for each part
// that fits, candidate points i..j-1, and an edge from (i, j) to (j, k) that costs the
// transfer T[j-1]. For each root (0, j) take the path with the least sum to some
// (i, P); drop those with more parts than nodes; keep the cheapest. So the least sum
// is sought, not the least maximum, and a root whose cheapest path is too long is
// dropped even where a dearer one would do. It gives the last point of each part but
// the last one.
//
// It returns ErrMemory without a path, and ErrOneNode when one part is cheapest.
func (c *Chain) Partition(capacity int64, nodes int) ([]int, error) {
	rest, next := c.cheapest(capacity)
	end := len(c.Points)
	least := math.Inf(1)
	var best []int
	for j := 1; j <= end && c.Fits(0, j, capacity); j++ {
		sum := c.edge(j) + rest[j]
		if sum >= least {
			continue
		}
		cuts := []int{}
		for at := j; at < end; at = next[at] {
			cuts = append(cuts, at-1)
		}
		if len(cuts)+1 <= nodes {
			best, least = cuts, sum
		}
	}
	switch {
	case best == nil:
		return nil, ErrMemory
	case len(best) == 0:
		return nil, ErrOneNode
	}
	return best, nil
}

// cheapest gives for each j the least sum of the edges behind a part that ends
// there, and the end of the part that follows.
func (c *Chain) cheapest(capacity int64) (rest []float64, next []int) {
	end := len(c.Points)
	rest, next = make([]float64, end+1), make([]int, end+1)
	for i := end - 1; i >= 0; i-- {
		rest[i] = math.Inf(1)
		for j := i + 1; j <= end && c.Fits(i, j, capacity); j++ {
			if sum := c.edge(j) + rest[j]; sum < rest[i] {
				rest[i], next[i] = sum, j
			}
		}
	}
	return rest, next
}

// edge is the cost of leaving a part that ends before j; the last one costs nothing.
func (c *Chain) edge(j int) float64 {
	if j == len(c.Points) {
		return 0
	}
	return c.Transfer[j-1]
}

// Classes gives the transfer class of each cut, 1..classes+1: bins of equal width
// between the least and the most of all candidate points. The most falls into class
// classes+1, at which KPathMatching does not look.
func (c *Chain) Classes(cuts []int, classes int) []int {
	low, high := slices.Min(c.Transfer), slices.Max(c.Transfer)
	var out []int
	for _, cut := range cuts {
		class := 1
		for b := 1; b <= classes; b++ {
			if c.Transfer[cut] >= low+float64(b)*(high-low)/float64(classes) {
				class++
			}
		}
		out = append(out, class)
	}
	return out
}
