package solver

import (
	"fmt"
	"slices"
)

// whyInfeasible names the tightest limit of a problem that is proven to have no
// placement. It lifts one kind of limit after the other, in the order in which
// a person would look: no node left, pins, one stage too large, too many stages,
// links, memory as a whole.
func (r *run) whyInfeasible() string {
	p := r.p
	if len(p.usableNodes()) == 0 {
		return fmt.Sprintf("all %d nodes are excluded", len(p.Nodes))
	}
	for _, look := range []func() string{r.pinClash, r.tooLarge, r.tooMany, r.stagesTooFew, r.unlinked, r.pinsTooTight} {
		if why := look(); why != "" {
			return why
		}
	}
	return r.shortOfMemory()
}

// pinClash finds pins that contradict each other or another limit.
func (r *run) pinClash() string {
	p, pins := r.p, slices.Clone(r.p.Pinned)
	slices.SortFunc(pins, func(a, b Pin) int { return a.Segment - b.Segment })
	for k, a := range pins {
		if slices.Contains(p.ExcludedNodes, a.Node) {
			return fmt.Sprintf("%s is pinned to %s, which is excluded", p.segmentName(a.Segment), p.nodeName(a.Node))
		}
		for _, b := range pins[k+1:] {
			if a.Node != b.Node && r.block(a.Segment) == r.block(b.Segment) {
				return fmt.Sprintf("%s is pinned to %s and %s to %s, but no cut is allowed between them",
					p.segmentName(a.Segment), p.nodeName(a.Node), p.segmentName(b.Segment), p.nodeName(b.Node))
			}
		}
		if b, between := interrupted(pins[k:]); between {
			return fmt.Sprintf("%s between two segments pinned to %s is pinned to %s; a node holds one stage",
				p.segmentName(b.Segment), p.nodeName(a.Node), p.nodeName(b.Node))
		}
	}
	return ""
}

// interrupted finds a pin to another node between the first pin and a later one
// to the same node.
func interrupted(pins []Pin) (Pin, bool) {
	for k, b := range pins {
		if b.Node != pins[0].Node && slices.ContainsFunc(pins[k:], func(c Pin) bool { return c.Node == pins[0].Node }) {
			return b, true
		}
	}
	return Pin{}, false
}

// block is the part between two allowed cuts that a segment is in.
func (r *run) block(segment int) int {
	k, found := slices.BinarySearch(r.m.cuts, segment)
	if found {
		return k
	}
	return k - 1
}

// withBase tells how much of a need is there whatever the stage is.
func withBase(base int64) string {
	if base == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of it whatever runs there)", mebibytes(base))
}

// tooLarge finds the block that misses the memory of every node by most, the
// smallest stage with it taken.
func (r *run) tooLarge() string {
	m := r.m
	worst, at, node := int64(0), 0, 0
	for a := range m.end {
		short, best := never, 0
		for c := range m.classes {
			if s := m.leastNeed(a) - m.classes[c].room; s < short {
				short, best = s, m.classes[c].members[0]
			}
		}
		if short > worst {
			worst, at, node = short, a, best
		}
	}
	if worst == 0 {
		return ""
	}
	allows, base := r.p.Nodes[node].MemoryBytes, r.p.Nodes[node].BaseBytes
	return fmt.Sprintf("%s needs %s on a node%s; the largest node, %s, allows %s: %s too little",
		r.blockName(at), mebibytes(allows+worst), withBase(base), r.p.nodeName(node), mebibytes(allows), mebibytes(worst))
}

func (r *run) blockName(a int) string {
	first, last := r.m.cuts[a], r.m.cuts[a+1]-1
	if first == last {
		return r.p.segmentName(first)
	}
	return fmt.Sprintf("the block from %s to %s, in which no cut is allowed,", r.p.segmentName(first), r.p.segmentName(last))
}

// leastNeed is the memory of the smallest stage that has a block: a longer one
// may have smaller buffers.
func (m *model) leastNeed(a int) int64 {
	least := never * 2
	for i := a; i >= 0; i-- {
		for j := a + 1; j <= m.end && m.weight[j]-m.weight[i] < least; j++ {
			least = min(least, m.need(i, j))
		}
	}
	return least
}
