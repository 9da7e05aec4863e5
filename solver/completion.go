package solver

// completion is the same dynamic programme backwards: from which positions can
// the chain still be finished?
type completion struct {
	t     *table
	u     uses
	ended grid // [used][c]: positions where a stage on c may have ended
	start grid // [used before][d]: positions where a stage on d may start
}

func newCompletion(t *table, u uses, b *budget) (*completion, bool) {
	m := t.m
	k := &completion{t: t, u: u, ended: newGrid(u.states, len(m.classes), m.end+1), start: newGrid(u.states, len(m.classes), m.end+1)}
	for code := u.states - 1; code >= 0; code-- {
		more := u.total(code) < m.stages
		for d := range m.classes {
			if more && u.count(code, d) < u.size[d] {
				k.fillStart(code, d)
			}
		}
		for c := range m.classes {
			if u.count(code, c) > 0 {
				k.fillEnded(code, c)
			}
		}
		if !b.spend(m.end) {
			return nil, false
		}
	}
	return k, true
}

func (k *completion) fillStart(code, d int) {
	start, ended := k.start.at(code, d), k.ended.at(code+k.u.stride[d], d)
	for i, ends := range k.t.ends[d] {
		if ends.meets(ended) {
			start.set(i)
		}
	}
}

func (k *completion) fillEnded(code, c int) {
	ended := k.ended.at(code, c)
	ended.set(k.t.m.end)
	for d := range k.t.m.classes {
		ended.orAnd(k.t.crossing(c, d), k.start.at(code, d))
	}
}
