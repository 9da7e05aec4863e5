package solver

// holds says whether the relaxation allows a bottleneck at the table's
// threshold. False is a proof that no placement has it.
func (t *table) holds() bool {
	if t.relax(countWeights()).first()[0] > int64(t.m.stages) {
		return false
	}
	for net := range t.m.nets {
		if t.relax(t.m.netWeights(net)).first()[0] > t.limit {
			return false
		}
	}
	if n := int64(t.m.nets); n > 1 {
		return (t.relax(t.m.allNetWeights()).first()[0]+n-1)/n <= t.limit
	}
	return true
}

// minimax gives, for each class and position, the least bottleneck of the rest
// of the chain without shared networks.
func (m *model) minimax(b *budget) (out *least, done bool) {
	out = m.newLeast()
	for i := m.end - 1; i >= 0; i-- {
		for d := range m.classes {
			c := &m.classes[d]
			best := never
			for j := i + 1; j <= m.end && !c.tooLong(i, j, best-1) && m.weight[j]-m.weight[i] <= c.room; j++ {
				if m.allowed(c, i, j) {
					best = min(best, max(m.peakPS(c, i, j), out.ended[d][j][0]))
				}
			}
			out.start[d][i][0] = best
		}
		for c := range m.classes {
			for d := range m.classes {
				if l := &m.links[c][d]; l.up {
					out.ended[c][i][0] = min(out.ended[c][i][0], max(l.ps(m.bytes[i]), out.start[d][i][0]))
				}
			}
		}
		if !b.spend(len(m.classes) * (len(m.classes) + m.end - i)) {
			return out, false
		}
	}
	return out, true
}

// largeBound is the size above which the bound is left at minimax.
const largeBound = 1 << 26

// bound raises a proven lower bound, low, as far as the relaxation goes, at most
// to the cost of a known placement.
func (m *model) bound(low, most int64, b *budget) int64 {
	round := len(m.classes) * m.end * (len(m.classes) + m.end) * (1 + m.nets)
	if low >= most || round > largeBound || newTable(m, low).holds() {
		return low
	}
	low++
	for high := most; low < high && b.spend(round/64); {
		mid := low + (high-low)/2
		if newTable(m, mid).holds() {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}
