package solver

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// KPath is the algorithm of the paper: partition chooses the cuts by their bytes
// alone, then kPathMatching finds nodes for them. It departs from the authors'
// published code where that can give a placement that does not fit, or fails
// without need; each place says so. The result is judged by the whole cost, of
// which the paper has the transfers only.

const (
	kPathLongest = 9 // nodes of one matching: the work grows as (2e)^k
	kPathWork    = 1 << 22
)

// kPathClasses are the numbers of transfer classes, C in the paper. Its evaluation has
// these, and none of them is best everywhere; here all are tried.
var kPathClasses = [...]int{20, 17, 14, 11, 8, 5, 2}

// kPath offers what the paper's two steps give.
func (r *run) kPath() {
	ends := r.m.partition()
	if ends == nil {
		return
	}
	for _, classes := range kPathClasses {
		r.offer(r.m.matched(ends, r.m.kPathMatching(ends, classes, r.seed, r.b)))
		if len(ends) == 1 {
			return
		}
	}
}

// partition finds the cuts with the least sum of bytes such that every stage fits
// the smallest node ("partitioning" in the paper): for each end of the first stage
// the cheapest way on, then the cheapest of those with enough nodes. It gives the
// end of every stage, or nil.
//
// Departure: the published code leaves the block between two partitions out and
// sums activations instead of taking the largest. Here a stage needs what it needs.
func (m *model) partition() []int {
	room := m.classes[0].room
	for _, c := range m.classes {
		room = min(room, c.room)
	}
	rest, next := m.cheapest(room)
	var best []int
	least := never
	for j := 1; j <= m.end; j++ {
		if m.need(0, j) > room || rest[j] >= never || m.sumFrom(j)+rest[j] >= least {
			continue
		}
		ends := []int{j}
		for at := j; at < m.end; at = next[at] {
			ends = append(ends, next[at])
		}
		if len(ends) <= m.stages {
			best, least = ends, m.sumFrom(j)+rest[j]
		}
	}
	return best
}

// sumFrom is what a cut at a position costs; the last one is none.
func (m *model) sumFrom(j int) int64 {
	if j == m.end {
		return 0
	}
	return m.bytes[j]
}

// cheapest gives for each position the least sum of the cuts behind it.
func (m *model) cheapest(room int64) (rest []int64, next []int) {
	rest, next = make([]int64, m.end+1), make([]int, m.end+1)
	for i := m.end - 1; i >= 0; i-- {
		rest[i] = never
		for j := i + 1; j <= m.end && m.weight[j]-m.weight[i] <= room; j++ {
			if x := m.sumFrom(j) + rest[j]; m.need(i, j) <= room && rest[j] < never && x < rest[i] {
				rest[i], next[i] = x, j
			}
		}
	}
	return rest, next
}

// transferClasses gives the class of each cut, 1..classes: bins of equal width between
// the least and the most of all cuts.
//
// Departure: the most falls into class C+1 in the published code, where no
// matching looks, so every partition with that cut fails. Here it is in class C.
func (m *model) transferClasses(ends []int, classes int) []int {
	inner := m.bytes[1:m.end]
	var out []int
	for _, j := range ends[:len(ends)-1] {
		low, high := slices.Min(inner), slices.Max(inner)
		class := classes
		if high > low {
			class = min(classes, 1+int(float64(m.bytes[j]-low)/float64(high-low)*float64(classes)))
		}
		out = append(out, class)
	}
	return out
}

// matching is one run of kPathMatching.
type matching struct {
	m     *model
	nodes []int        // N in the paper: the node of each stage, or -1
	free  map[int]bool // G
	rates []float64    // bandwidths that occur, ascending
	draw  *rand.Rand
	b     *budget
}

// kPathMatching places the stages between cuts of one class after the other, the
// largest transfers first, on paths of as high a bandwidth as it finds ("k-path
// matching" in the paper). It gives the node of each stage, or nil.
//
// Departure: a run of more than kPathLongest stages is matched in pieces.
func (m *model) kPathMatching(ends []int, classes int, seed uint64, b *budget) []int {
	k := &matching{m: m, free: map[int]bool{}, draw: rand.New(rand.NewPCG(seed, uint64(classes))), b: b}
	k.nodes = slices.Repeat([]int{-1}, len(ends))
	for _, v := range m.p.usableNodes() {
		k.free[v] = true
		for _, u := range m.p.usableNodes() {
			if band := k.bandwidth(u, v); u != v && band > 0 {
				k.rates = append(k.rates, band)
			}
		}
	}
	slices.Sort(k.rates)
	k.rates = slices.Compact(k.rates)
	if len(ends) == 1 { // nothing to match: the paper places it anywhere
		return m.p.usableNodes()[:1]
	}
	for _, r := range runs(m.transferClasses(ends, classes)) {
		if !k.match(r[0], r[1]) {
			return nil
		}
	}
	return k.nodes
}

// bandwidth is that of the undirected graph of the paper.
func (k *matching) bandwidth(u, v int) float64 {
	return min(k.m.p.Bandwidth[u][v], k.m.p.Bandwidth[v][u])
}

// runs are the stretches of cuts of one class, [first, length]: of higher classes
// first, and then the longest.
func runs(classes []int) [][2]int {
	var out [][2]int
	for first := 0; first < len(classes); {
		n := 1
		for first+n < len(classes) && classes[first+n] == classes[first] && n < kPathLongest-1 {
			n++
		}
		out = append(out, [2]int{first, n})
		first += n
	}
	slices.SortStableFunc(out, func(a, b [2]int) int {
		return cmp.Or(cmp.Compare(classes[b[0]], classes[a[0]]), cmp.Compare(b[1], a[1]))
	})
	return out
}

// match bisects over the bandwidths for the path of one run of cuts.
func (k *matching) match(first, cuts int) bool {
	s, u := k.nodes[first], k.nodes[first+cuts]
	var path []int
	low, high := 0, len(k.rates)
	for low < high {
		mid := low + (high-low)/2
		if found := k.colourCode(k.rates[mid], cuts+1, s, u); found != nil {
			path, low = found, mid+1
		} else {
			high = mid
		}
	}
	for i, v := range path {
		k.nodes[first+i] = v
		delete(k.free, v)
	}
	return path != nil
}

// colourCode looks for a path of n nodes over links of at least a bandwidth, from s
// and to u where these are not -1, by the colour coding of Alon, Yuster and Zwick
// (J. ACM 42, 1995), with the 10 e^n tries of the published code.
//
// Departure: that draws from 1.3 n colours and uses n of them, which lowers the
// chance of success; here there are n. The tries end after kPathWork steps.
func (k *matching) colourCode(rate float64, n, s, u int) []int {
	var nodes []int
	for _, v := range k.m.p.usableNodes() {
		if k.free[v] || v == s || v == u {
			nodes = append(nodes, v)
		}
	}
	if len(nodes) < n {
		return nil
	}
	c := newColouring(k, nodes, rate, n)
	steps := 0
	for range int(10 * math.Exp(float64(n))) {
		work := len(nodes) << n
		if steps += work; steps > kPathWork && steps > work || !k.b.spend(work) {
			return nil
		}
		if path := c.try(slices.Index(nodes, s), slices.Index(nodes, u)); path != nil {
			return path
		}
	}
	return nil
}
