package solver

import "sort"

// table holds, for a threshold, which stages and transfers stay within it.
type table struct {
	m     *model
	limit int64
	above int64      // the least value over the threshold, or never
	ends  [][]bitset // [class][start]: where a stage may end
	// sizes tells for [class*classes+class] how many of the model's cut sizes may
	// be moved, from the smallest on.
	sizes []int32
}

func newTable(m *model, limit int64) *table {
	t := &table{m: m, limit: limit, above: never}
	t.sizes = make([]int32, 0, len(m.classes)*len(m.classes))
	for c := range m.classes {
		t.ends = append(t.ends, t.endsOf(&m.classes[c]))
		for d := range m.classes {
			t.sizes = append(t.sizes, t.sizesOf(&m.links[c][d]))
		}
	}
	return t
}

// crossing are the cuts that may be moved from class c to class d.
func (t *table) crossing(c, d int) bitset { return t.m.upTo[t.sizes[c*len(t.m.classes)+d]] }

func (t *table) crosses(c, d, i int) bool {
	return t.m.rank[i] < t.sizes[c*len(t.m.classes)+d]
}

// within keeps track of the least value above the threshold.
func (t *table) within(ps int64) bool {
	if ps > t.limit {
		t.above = min(t.above, ps)
		return false
	}
	return true
}

func (t *table) endsOf(c *class) []bitset {
	m := t.m
	out := make([]bitset, m.end)
	size := words(m.end + 1)
	all := make(bitset, size*m.end)
	for i := range out {
		out[i] = all[i*size : (i+1)*size]
		for j := i + 1; j <= m.end; j++ {
			// These only grow with j, so nothing behind j fits either.
			if m.weight[j]-m.weight[i] > c.room || c.ranges == nil && !t.within(c.stage+c.time[j]-c.time[i]) {
				break
			}
			if m.allowed(c, i, j) && t.within(m.peakPS(c, i, j)) {
				out[i].set(j)
			}
		}
	}
	return out
}

func (t *table) sizesOf(l *link) int32 {
	if !l.up {
		return 0
	}
	k := sort.Search(len(t.m.sizes), func(k int) bool { return l.ps(t.m.sizes[k]) > t.limit })
	if k < len(t.m.sizes) {
		t.above = min(t.above, l.ps(t.m.sizes[k]))
	}
	return int32(k)
}
