package solver

import "slices"

// needs works out the memory of stages from the definition alone, without the
// base of a node.
type needs struct {
	p      *Problem
	cuts   []int   // 0, the allowed cuts, L
	weight []int64 // prefix sums of segment bytes
}

func newNeeds(p *Problem) *needs {
	n := &needs{p: p, cuts: p.cutPositions(), weight: make([]int64, p.Segments()+1)}
	for b, bytes := range p.SegmentBytes {
		n.weight[b+1] = n.weight[b] + bytes
	}
	return n
}

// row gives the need of a stage from cut i to each later one, and 0 before.
func (n *needs) row(i int) []int64 {
	out := make([]int64, len(n.cuts))
	first, live := n.cuts[i], int64(0)
	for j := i + 1; j < len(n.cuts); j++ {
		end := n.cuts[j]
		if n.p.ActivationBytes != nil {
			live = max(live, slices.Max(n.p.ActivationBytes[n.cuts[j-1]:end]))
		}
		out[j] = n.weight[end] - n.weight[first] + live + n.p.InBuffers*n.p.CutBytes[first] + n.p.OutBuffers*n.p.CutBytes[end]
	}
	return out
}

// leastOfBlocks gives for each block, the part between two neighbouring cuts, the
// need of the smallest stage that has it: a longer one may have smaller buffers.
func (n *needs) leastOfBlocks() []int64 {
	blocks := len(n.cuts) - 1
	out := slices.Repeat([]int64{never * 2}, blocks)
	for i := range blocks {
		row := n.row(i)
		least := never * 2
		for a := blocks - 1; a >= i; a-- {
			least = min(least, row[a+1])
			out[a] = min(out[a], least)
		}
	}
	return out
}

// leastWith is the need of the smallest stage that has all blocks from a to z and
// none that is pinned to another node.
func (n *needs) leastWith(a, z, node int) int64 {
	least := never * 2
	low, high := a, z+1
	for low > 0 && !n.pinnedElsewhere(low-1, node) {
		low--
	}
	for high < len(n.cuts)-1 && !n.pinnedElsewhere(high, node) {
		high++
	}
	for i := low; i <= a; i++ {
		least = min(least, slices.Min(n.row(i)[z+1:high+1]))
	}
	return least
}

func (n *needs) pinnedElsewhere(block, node int) bool {
	return slices.ContainsFunc(n.p.Pinned, func(pin Pin) bool { return pin.Node != node && n.block(pin.Segment) == block })
}

// block is the part between two neighbouring cuts that a segment is in.
func (n *needs) block(segment int) int {
	k, found := slices.BinarySearch(n.cuts, segment)
	if found {
		return k
	}
	return k - 1
}

// fewest is how many stages are needed when each may take so much memory; 0 when
// none are enough.
func (n *needs) fewest(room int64) int {
	count := make([]int, len(n.cuts))
	for i := range n.cuts[:len(n.cuts)-1] {
		if i > 0 && count[i] == 0 {
			continue
		}
		for j, need := range n.row(i) {
			if j > i && need <= room && (count[j] == 0 || count[i]+1 < count[j]) {
				count[j] = count[i] + 1
			}
		}
	}
	return count[len(count)-1]
}

// most bounds the need of any stage.
func (n *needs) most() int64 {
	cut := slices.Max(n.p.CutBytes)
	most := n.weight[n.p.Segments()] + (n.p.InBuffers+n.p.OutBuffers)*cut
	if n.p.ActivationBytes != nil {
		most += slices.Max(n.p.ActivationBytes)
	}
	return most
}

// room is the memory of a node for a stage.
func (p *Problem) room(node int) int64 { return p.Nodes[node].MemoryBytes - p.Nodes[node].BaseBytes }
