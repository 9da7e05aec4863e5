package solver

import (
	"math/bits"
	"slices"
)

// walks finds the cheapest walks of the relaxation within a threshold, when every
// use of a class has a price and every stage one of its own. It is one chain
// dynamic programme from the end, in O(L n (L + n)).
//
// No placement pays more than all, the price of all nodes and all stages that may
// be used. So when the cheapest walk costs more, there is no placement within the
// threshold: proven, in integers, whatever the prices are. This is the Lagrangian
// bound for "each node at most once".
type walks struct {
	t      *table
	prices []int64 // of a use of each class
	stage  int64   // of any stage
	all    int64   // dearer walks are not told apart
	shift  int     // bits of a class
	start  []int64 // [position*classes+class]: least price of the rest, a stage starts there
	ended  []int64
	end    []int32   // where that stage ends
	next   []int32   // the class behind it
	order  []int64   // price and class, packed, of one position
	cheap  [][]int32 // [position]: the classes that may start there, the cheapest rest first
}

// priceTotal is about what all nodes cost together.
const priceTotal = int64(1) << 42

func newWalks(t *table) *walks {
	n := len(t.m.classes)
	size := n * (t.m.end + 1)
	return &walks{t: t, prices: make([]int64, n), shift: bits.Len(uint(n)), cheap: make([][]int32, t.m.end),
		start: make([]int64, size), ended: make([]int64, size), end: make([]int32, size), next: make([]int32, size)}
}

// cost is about how many steps solve takes.
func (w *walks) cost() int { return len(w.start) * 4 }

// charge sets the prices, in any unit; they are scaled to priceTotal and rounded
// down. The last is that of a stage.
func (w *walks) charge(prices []float64) {
	scale := float64(priceTotal) / w.t.m.allOf(prices)
	n := len(w.prices)
	w.stage = int64(prices[n] * scale)
	w.all = w.stage * int64(w.t.m.stages)
	for c, x := range prices[:n] {
		w.prices[c] = int64(x * scale)
		w.all += w.prices[c] * int64(len(w.t.m.classes[c].members))
	}
}

// allOf is what all nodes and stages cost together.
func (m *model) allOf(prices []float64) float64 {
	sum := prices[len(m.classes)] * float64(m.stages)
	for c, x := range prices[:len(m.classes)] {
		sum += x * float64(len(m.classes[c].members))
	}
	return sum
}

// solve fills the tables and says what the cheapest walk costs; never when that is
// more than all.
func (w *walks) solve() (least int64) {
	m, n := w.t.m, len(w.prices)
	clear(w.ended[m.end*n:])
	for i := m.end - 1; i >= 0; i-- {
		w.starts(i)
		w.ends(i)
	}
	return slices.Min(w.start[:n])
}

func (w *walks) starts(i int) {
	n := len(w.prices)
	for d, price := range w.prices {
		best, at := never, 0
		ends := w.t.ends[d][i]
		for j := ends.next(i + 1); j >= 0; j = ends.next(j + 1) {
			if x := w.ended[j*n+d]; x < best {
				best, at = x, j
			}
		}
		if best += price + w.stage; best > w.all {
			best = never
		}
		w.start[i*n+d], w.end[i*n+d] = best, int32(at)
	}
}

// ends tries the classes behind a position from the cheapest on, so the first that
// can be reached is the best.
func (w *walks) ends(i int) {
	n := len(w.prices)
	w.order = w.order[:0]
	for d, x := range w.start[i*n : i*n+n] {
		if x < never {
			w.order = append(w.order, x<<w.shift|int64(d))
		}
	}
	slices.Sort(w.order)
	w.cheap[i] = w.cheap[i][:0]
	for _, x := range w.order {
		w.cheap[i] = append(w.cheap[i], int32(x&(1<<w.shift-1)))
	}
	rank := w.t.m.rank[i]
	for c := range n {
		w.ended[i*n+c] = never
		sizes := w.t.sizes[c*n : c*n+n]
		for _, d := range w.cheap[i] {
			if rank < sizes[d] {
				w.ended[i*n+c], w.next[i*n+c] = w.start[i*n+int(d)], d
				break
			}
		}
	}
}

// best is a cheapest walk, or nil when all are dearer than all.
func (w *walks) best() (way path) {
	if len(w.cheap[0]) == 0 {
		return nil
	}
	n, d := len(w.prices), int(w.cheap[0][0])
	for i := 0; ; d = int(w.next[i*n+d]) {
		i = int(w.end[i*n+d])
		way = append(way, step{d, i})
		if i == w.t.m.end {
			return way
		}
	}
}
