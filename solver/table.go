package solver

// table holds, for a threshold, which stages and transfers stay within it.
type table struct {
	m         *model
	limit     int64
	above     int64      // the least value over the threshold, or never
	ends      [][]bitset // [class][start]: where a stage may end
	crossings [][]bitset // [class][class]: cuts that may be moved
}

func newTable(m *model, limit int64) *table {
	t := &table{m: m, limit: limit, above: never}
	for c := range m.classes {
		t.ends = append(t.ends, t.endsOf(&m.classes[c]))
		row := make([]bitset, len(m.classes))
		for d := range m.classes {
			row[d] = t.crossingsOf(&m.links[c][d])
		}
		t.crossings = append(t.crossings, row)
	}
	return t
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
			if m.weight[j]-m.weight[i] > c.room || c.ranges == nil && !t.within(c.time[j]-c.time[i]) {
				break
			}
			if m.allowed(c, i, j) && t.within(m.peakPS(c, i, j)) {
				out[i].set(j)
			}
		}
	}
	return out
}

func (t *table) crossingsOf(l *link) bitset {
	b := make(bitset, words(t.m.end+1))
	for i := 1; l.up && i < t.m.end; i++ {
		if t.within(l.ps(t.m.bytes[i])) {
			b.set(i)
		}
	}
	return b
}
