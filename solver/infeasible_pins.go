package solver

import (
	"fmt"
	"slices"
)

// sortedPins are the pins in order of their segments.
func (d *diagnosis) sortedPins() []Pin {
	pins := slices.Clone(d.p.Pinned)
	slices.SortStableFunc(pins, func(a, b Pin) int { return a.Segment - b.Segment })
	return pins
}

func (d *diagnosis) pinExcluded() *limit {
	for _, pin := range d.sortedPins() {
		if slices.Contains(d.p.ExcludedNodes, pin.Node) {
			return &limit{text: fmt.Sprintf("%s is pinned to %s, which is excluded", d.p.segmentName(pin.Segment), d.p.nodeName(pin.Node)),
				nodes: []int{pin.Node}, segments: []int{pin.Segment}}
		}
	}
	return nil
}

// pinnedApart finds two pins to different nodes without a cut between them.
func (d *diagnosis) pinnedApart() *limit {
	pins := d.sortedPins()
	for k, a := range pins {
		for _, b := range pins[k+1:] {
			if a.Node == b.Node || d.needs.block(a.Segment) != d.needs.block(b.Segment) {
				continue
			}
			found := &limit{nodes: []int{a.Node, b.Node}, segments: []int{a.Segment, b.Segment}}
			if found.text = fmt.Sprintf("%s is pinned to two nodes, %s and %s", d.p.segmentName(a.Segment), d.p.nodeName(a.Node), d.p.nodeName(b.Node)); a.Segment != b.Segment {
				found.text = fmt.Sprintf("%s is pinned to %s and %s to %s, but no cut is allowed between them",
					d.p.segmentName(a.Segment), d.p.nodeName(a.Node), d.p.segmentName(b.Segment), d.p.nodeName(b.Node))
			}
			return found
		}
	}
	return nil
}

// pinnedAround finds a pin to another node between two pins to the same one.
func (d *diagnosis) pinnedAround() *limit {
	pins := d.sortedPins()
	for k, a := range pins {
		for m, b := range pins[k+1:] {
			later := slices.IndexFunc(pins[k+1+m:], func(c Pin) bool { return c.Node == a.Node })
			if b.Node == a.Node || later < 0 {
				continue
			}
			c := pins[k+1+m+later]
			return &limit{text: fmt.Sprintf("%s and %s are pinned to %s, and %s between them to %s; a node holds one stage",
				d.p.segmentName(a.Segment), d.p.segmentName(c.Segment), d.p.nodeName(a.Node), d.p.segmentName(b.Segment), d.p.nodeName(b.Node)),
				nodes: []int{a.Node, b.Node}, segments: []int{a.Segment, b.Segment, c.Segment}}
		}
	}
	return nil
}

// pinnedTooLarge finds the node that misses the memory for what is pinned to it,
// and all between, by most.
func (d *diagnosis) pinnedTooLarge() *limit {
	var worst *limit
	var most int64
	for _, v := range d.usable {
		first, last, pinned := d.span(v)
		if !pinned {
			continue
		}
		a, z := d.needs.block(first), d.needs.block(last)
		need := d.needs.leastWith(a, z, v)
		over := need - d.p.room(v)
		if over <= most {
			continue
		}
		node := d.p.Nodes[v]
		most, worst = over, &limit{
			text: fmt.Sprintf("%s on %s%s, which allows %s: %s too little", d.pinnedNeed(first, last, need+node.BaseBytes),
				d.p.nodeName(v), d.parts(a, z, v, need), mebibytes(node.MemoryBytes), mebibytes(over)),
			nodes: []int{v}, segments: d.segments(a, z),
			short: []change{moreMemory(over-1, d.p.nodeName(v), v)},
		}
	}
	return worst
}

// span is the part of the chain from the first to the last segment pinned to a node.
func (d *diagnosis) span(node int) (first, last int, pinned bool) {
	first = d.p.Segments()
	for _, pin := range d.p.Pinned {
		if pin.Node == node {
			first, last, pinned = min(first, pin.Segment), max(last, pin.Segment), true
		}
	}
	return first, last, pinned
}

func (d *diagnosis) pinnedNeed(first, last int, need int64) string {
	if first == last {
		return fmt.Sprintf("%s is pinned and needs %s", d.p.segmentName(first), mebibytes(need))
	}
	return fmt.Sprintf("the stage from %s to %s, both pinned, needs %s", d.p.segmentName(first), d.p.segmentName(last), mebibytes(need))
}

func (d *diagnosis) pinsTooTight() *limit {
	if len(d.p.Pinned) == 0 || d.o.ask(d.p.with(change{apply: func(p *Problem) { p.Pinned = nil }})) != fits {
		return nil
	}
	pins := fmt.Sprintf("the %d pins", len(d.p.Pinned))
	if len(d.p.Pinned) == 1 {
		pins = fmt.Sprintf("the pin of %s to %s", d.p.segmentName(d.p.Pinned[0].Segment), d.p.nodeName(d.p.Pinned[0].Node))
	}
	found := &limit{text: pins + " cannot be kept within the memory, links and stages of the nodes; without pins there is a placement"}
	for _, pin := range d.p.Pinned {
		found.nodes, found.segments = append(found.nodes, pin.Node), append(found.segments, pin.Segment)
	}
	return found
}
