package solver

// Lower bounds from a relaxation: every class may be used any number of times,
// only never a node twice in a row. Then a state is a class and a position, and
// a shortest walk through them costs no more than any placement. The walk with
// the least maximum bounds the bottleneck; sums bound what a shared network, or
// the rest of a pipeline, costs at least. It is state-space relaxation in the
// sense of Christofides, Mingozzi and Toth (Networks 11, 1981).

// tuple is a cost compared from the first number to the last.
type tuple [3]int64

func (t tuple) plus(o tuple) tuple { return tuple{t[0] + o[0], t[1] + o[1], t[2] + o[2]} }

func (t tuple) less(o tuple) bool {
	for k := range t {
		if t[k] != o[k] {
			return t[k] < o[k]
		}
	}
	return false
}

// least holds what completing the chain costs at least.
type least struct {
	start [][]tuple // [class][position]: a stage starts there
	ended [][]tuple // [class][position]: a stage has ended there
}

var impossible = tuple{never, 0, 0}

// relax is the cheapest completion within the table's threshold.
func (t *table) relax(w weights) *least {
	m := t.m
	out := m.newLeast()
	for i := m.end - 1; i >= 0; i-- {
		for d := range m.classes {
			best, ends := impossible, t.ends[d][i]
			for j := ends.next(i + 1); j >= 0; j = ends.next(j + 1) {
				if rest := out.ended[d][j]; rest[0] < never {
					if x := w.stage(&m.classes[d], i, j).plus(rest); x.less(best) {
						best = x
					}
				}
			}
			out.start[d][i] = best
		}
		for c := range m.classes {
			for d := range m.classes {
				if rest := out.start[d][i]; t.crosses(c, d, i) && rest[0] < never {
					if x := w.move(&m.links[c][d], i).plus(rest); x.less(out.ended[c][i]) {
						out.ended[c][i] = x
					}
				}
			}
		}
	}
	return out
}

func (m *model) newLeast() *least {
	out := &least{}
	for range m.classes {
		start, ended := make([]tuple, m.end+1), make([]tuple, m.end+1)
		for i := range ended {
			start[i], ended[i] = impossible, impossible
		}
		ended[m.end] = tuple{}
		out.start, out.ended = append(out.start, start), append(out.ended, ended)
	}
	return out
}

// first is the least cost of the whole chain.
func (l *least) first() tuple {
	best := impossible
	for _, row := range l.start {
		if row[0].less(best) {
			best = row[0]
		}
	}
	return best
}
