package onnx

import "slices"

// Bounds of the search for a better order. They count work, not time, so that the same
// model always has the same order.
const (
	arrangeSweeps = 8       // passes over all units
	arrangeReach  = 64      // units that one moves past
	arrangeWork   = 8 << 20 // readers of values looked at
)

// arranged moves nodes of an order to where fewer bytes are alive: one unit at a time
// past its neighbours, as long as that lowers the sum over all positions. A unit is a
// run that the engine fuses, or a single node.
func (m *model) arranged(order []int) []int {
	a := &arranger{model: m, place: make([]int, len(m.graph.nodes)), units: m.units(order), work: arrangeWork}
	for s, at := range order {
		a.place[at] = s
	}
	for range arrangeSweeps {
		if !a.sweep() {
			break
		}
	}
	return slices.Concat(a.units...)
}

// units divides an order into runs that the engine fuses, and single nodes.
func (m *model) units(order []int) [][]int {
	ordered := *m
	ordered.order = order
	joined := make([]bool, len(order)+1) // by position: it lies within a run
	for _, span := range ordered.fusions() {
		for b := span.first + 1; b <= span.last; b++ {
			joined[b] = true
		}
	}
	var units [][]int
	for first, s := 0, 1; s <= len(order); s++ {
		if s == len(order) || !joined[s] {
			units = append(units, order[first:s:s])
			first = s
		}
	}
	return units
}

// arranger is an order while it is changed.
type arranger struct {
	*model
	place []int // position by node
	units [][]int
	work  int // left
}

// sweep tries to move every unit once, and says whether one has moved.
func (a *arranger) sweep() bool {
	moved := false
	for _, unit := range slices.Clone(a.units) {
		u := a.indexOf(unit)
		moved = a.move(u, -1) || a.move(u, +1) || moved
	}
	return moved
}

// indexOf finds where a unit stands now.
func (a *arranger) indexOf(unit []int) int {
	u, _ := slices.BinarySearchFunc(a.units, a.place[unit[0]], func(other []int, place int) int { return a.place[other[0]] - place })
	return u
}

// move takes a unit as far in one direction as is best, and says whether it moved.
func (a *arranger) move(u, direction int) bool {
	steps, gone := 0, 0
	var change, best float64
	for at := u; gone < arrangeReach && a.work > 0; at += direction {
		left := min(at, at+direction)
		if left < 0 || left+1 >= len(a.units) || a.depends(left+1, left) {
			break
		}
		change += a.swap(left)
		gone++
		if change < best {
			best, steps = change, gone
		}
	}
	for ; gone > steps; gone-- { // back to the best place
		a.swap(min(u+direction*gone, u+direction*(gone-1)))
	}
	return steps > 0
}

// depends says whether a unit reads what an earlier one makes.
func (a *arranger) depends(reader, maker int) bool {
	first := a.place[a.units[maker][0]]
	last := first + len(a.units[maker]) - 1
	return slices.ContainsFunc(a.units[reader], func(at int) bool {
		return slices.ContainsFunc(a.graph.nodes[at].reads, func(i int) bool {
			v := a.graph.values[i]
			return v.origin == fromNode && first <= a.place[v.producer] && a.place[v.producer] <= last
		})
	})
}

// swap exchanges a unit and the next one, and gives the change of the bytes alive
// over all positions: only those inside of the two change.
func (a *arranger) swap(left int) float64 {
	pair := a.units[left : left+2]
	first := a.place[pair[0][0]]
	before := a.alive(pair)
	slices.Reverse(pair)
	for place, at := range slices.Concat(pair...) {
		a.place[at] = first + place
	}
	return a.alive(pair) - before
}

// alive sums the bytes alive over the positions inside of some neighbouring units, but
// for tensors that pass them by.
func (a *arranger) alive(units [][]int) float64 {
	nodes := slices.Concat(units...)
	first := a.place[nodes[0]]
	last := first + len(nodes) - 1
	var total float64
	seen := map[int]bool{}
	for _, at := range nodes {
		for _, i := range slices.Concat(a.graph.nodes[at].reads, a.graph.nodes[at].outputs) {
			if i >= 0 && !seen[i] && !a.graph.values[i].constant() {
				seen[i] = true
				total += a.span(i, first, last)
			}
		}
	}
	return total
}

// span is the bytes of a value times the positions that it crosses between two segments.
func (a *arranger) span(i, first, last int) float64 {
	v := a.graph.values[i]
	start, end := first, first
	if v.origin == fromNode {
		start = max(first, a.place[v.producer])
	}
	a.work -= len(v.readers) + 1
	for _, reader := range v.readers {
		end = max(end, min(a.place[reader], last))
	}
	if v.output {
		end = last
	}
	return float64(max(end-start, 0)) * float64(a.size(i))
}
