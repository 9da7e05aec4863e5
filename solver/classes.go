package solver

import "slices"

// sameNodes merges the nodes that may change places without changing any cost:
// same memory, times, held bytes and pins (none), and the same links to and
// from every third node and to each other. Changing places is an equivalence,
// so comparing with one member of a class is enough. Within a class only the
// number of used members matters, which shrinks the search from 2^n to the
// product of (size + 1).
func (m *model) sameNodes(nodes []int) [][]int {
	var classes [][]int
next:
	for _, v := range nodes {
		for k, class := range classes {
			if m.interchangeable(class[0], v) {
				classes[k] = append(class, v)
				continue next
			}
		}
		classes = append(classes, []int{v})
	}
	return classes
}

func (m *model) interchangeable(u, v int) bool {
	p := m.p
	a, b := p.Nodes[u], p.Nodes[v]
	if a.MemoryBytes-a.BaseBytes != b.MemoryBytes-b.BaseBytes || a.CPUSecondsPerByte != b.CPUSecondsPerByte || a.StageSeconds != b.StageSeconds ||
		a.SendBytesPerSecond != b.SendBytesPerSecond || a.ReceiveBytesPerSecond != b.ReceiveBytesPerSecond ||
		!slices.Equal(a.SegmentSeconds, b.SegmentSeconds) || !slices.Equal(a.RangeSeconds, b.RangeSeconds) ||
		!slices.Equal(a.ModelStageSeconds, b.ModelStageSeconds) || !slices.EqualFunc(a.ModelSeconds, b.ModelSeconds, slices.Equal) || !slices.EqualFunc(a.ModelRanges, b.ModelRanges, slices.Equal) {
		return false
	}
	if p.Gateway != nil && (*p.Gateway == u || *p.Gateway == v) {
		return false
	}
	if slices.ContainsFunc(p.Pinned, func(pin Pin) bool { return pin.Node == u || pin.Node == v }) {
		return false
	}
	for s := range p.SegmentBytes {
		if p.HeldBytes != nil && p.lacks(u, s) != p.lacks(v, s) {
			return false
		}
	}
	if !m.sameLink(u, v, v, u) {
		return false
	}
	for w := range p.Nodes {
		if w != u && w != v && !(m.sameLink(u, w, v, w) && m.sameLink(w, u, w, v)) {
			return false
		}
	}
	return true
}

// sameLink compares the link a to b with the link c to d.
func (m *model) sameLink(a, b, c, d int) bool {
	p := m.p
	if p.Bandwidth[a][b] != p.Bandwidth[c][d] || p.Latency != nil && p.Latency[a][b] != p.Latency[c][d] {
		return false
	}
	return len(p.Shared) == 0 || slices.Equal(m.media[[2]int{a, b}], m.media[[2]int{c, d}])
}
