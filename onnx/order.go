package onnx

import "slices"

// readyLimit bounds how many ready nodes are compared at one position, so that a
// graph with very many stays linear.
const readyLimit = 512

// chooseOrder brings segments into the order with the fewest bytes alive, summed over
// all positions, that arranging the file's own order or a greedy one leads to. The
// file's wins ties, because exporters keep together what belongs together.
func (m *model) chooseOrder() []int {
	file := m.graph.segments()
	best := file
	for _, order := range [][]int{m.arranged(file), m.arranged(m.greedyOrder(file))} {
		if m.aliveBytes(order) < m.aliveBytes(best) {
			best = order
		}
	}
	return best
}

// greedyOrder takes, of the nodes whose inputs are there, one that fuses with the
// node before it, else the one that leaves the fewest bytes alive; ties by place in
// the file.
func (m *model) greedyOrder(file []int) []int {
	g := m.graph
	place := make(map[int]int, len(file))
	for i, at := range file {
		place[at] = i
	}
	waits := make(map[int]int, len(file)) // inputs not made yet
	for _, at := range file {
		for _, i := range g.nodes[at].reads {
			if g.values[i].origin == fromNode {
				waits[at]++
			}
		}
	}
	left := m.readersLeft()
	var ready, order []int
	for _, at := range file {
		if waits[at] == 0 {
			ready = append(ready, at)
		}
	}
	fuser, at := &fuser{model: m}, -1
	for len(ready) > 0 {
		best := -1
		if at >= 0 {
			best = readyPartner(fuser.partners(at), ready, place)
		}
		if best < 0 {
			best = m.cheapest(ready, left)
		}
		at = ready[best]
		ready = slices.Delete(ready, best, best+1)
		order = append(order, at)
		for _, i := range g.nodes[at].reads {
			left[i]--
		}
		for _, o := range g.nodes[at].outputs {
			if o < 0 {
				continue
			}
			for _, reader := range g.values[o].readers {
				if waits[reader]--; waits[reader] == 0 {
					where, _ := find(ready, place, reader)
					ready = slices.Insert(ready, where, reader)
				}
			}
		}
	}
	return order
}

// find looks for a node among ready ones, which are in the file's order.
func find(ready []int, place map[int]int, at int) (int, bool) {
	return slices.BinarySearchFunc(ready, place[at], func(n, p int) int { return place[n] - p })
}

// readyPartner is where the first partner that is ready stands, or -1.
func readyPartner(partners, ready []int, place map[int]int) int {
	for _, partner := range partners {
		if where, ok := find(ready, place, partner); ok {
			return where
		}
	}
	return -1
}

// readersLeft counts the segments that read each value, and the graph's output.
func (m *model) readersLeft() []int {
	left := make([]int, len(m.graph.values))
	for i, v := range m.graph.values {
		left[i] = len(v.readers)
		if v.output {
			left[i]++
		}
	}
	return left
}

// cheapest finds the ready node after which the fewest bytes are alive.
func (m *model) cheapest(ready, left []int) int {
	best, least := 0, int64(0)
	for i, at := range ready[:min(len(ready), readyLimit)] {
		n := &m.graph.nodes[at]
		var delta int64
		for _, o := range n.outputs {
			if o >= 0 && left[o] > 0 {
				delta += m.size(o)
			}
		}
		for _, r := range n.reads {
			if left[r] == 1 && !m.graph.values[r].constant() {
				delta -= m.size(r)
			}
		}
		if i == 0 || delta < least {
			best, least = i, delta
		}
	}
	return best
}

// aliveBytes sums the bytes alive over all positions of an order.
func (m *model) aliveBytes(order []int) float64 {
	var total float64
	for _, cut := range m.lifetimes(order) {
		total += float64(cut.end-cut.start) * float64(m.size(cut.value))
	}
	return total
}

// lifetime is the positions that a value crosses: start < b <= end for cut b,
// where a value made by segment s has start s and a graph input has start -1.
type lifetime struct{ value, start, end int }

// lifetimes are the spans of all values that are carried, in the order they come
// to be. A weight that is also an output of the graph is in the last cut only.
func (m *model) lifetimes(order []int) []lifetime {
	g := m.graph
	last := make([]int, len(g.values)) // last cut that the value crosses
	for i := range last {
		last[i] = -1
	}
	for s, at := range order {
		for _, i := range g.nodes[at].reads {
			last[i] = s
		}
	}
	var spans []lifetime
	add := func(i, start int) {
		end := last[i]
		if g.values[i].output {
			end = len(order)
		}
		if end > start {
			spans = append(spans, lifetime{i, start, end})
		}
	}
	for _, i := range g.inputs {
		add(i, -1)
	}
	for s, at := range order {
		for _, o := range g.nodes[at].outputs {
			if o >= 0 {
				add(o, s)
			}
		}
	}
	for _, i := range g.outputs {
		if g.values[i].constant() {
			add(i, len(order)-1)
		}
	}
	return spans
}

// size is the bytes of a value, 0 where they are not known.
func (m *model) size(i int) int64 {
	n, err := m.infos[i].Bytes()
	if err != nil || m.unranked[i] {
		return 0
	}
	return n
}
