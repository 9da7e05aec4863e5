package solver

import "slices"

// leg are beginnings of some number of stages that end on a class and remember the
// same: at has the positions that no walk of fewer stages had reached so.
type leg struct {
	class int
	used  nodeSet
	at    bitset
}

// memory is what all legs with one class and one set of nodes have reached.
type memory struct {
	used nodeSet
	at   bitset
}

type memoryKey struct {
	class int
	used  nodeSet
}

// walk fills the legs, until some walk is whole.
func (r *routes) walk(b *budget, end int64) (found, done bool) {
	r.seen, r.at = make([][]memory, len(r.m.classes)), map[memoryKey]int32{}
	r.legs = [][]leg{{{class: -1, at: bitset{1}}}}
	for depth := range r.m.stages {
		r.legs = append(r.legs, nil)
		r.index = map[memoryKey]int32{}
		for k := range r.legs[depth] {
			work, whole := r.extend(&r.legs[depth][k])
			if !b.spend(1+work/workUnit) || b.work > end {
				return false, false
			}
			if whole {
				return true, true
			}
		}
	}
	return false, true
}

// extend adds every stage that can follow a leg.
func (r *routes) extend(l *leg) (work int, whole bool) {
	for d := range r.m.classes {
		if r.own[d].within(l.used) {
			continue
		}
		if work += 1 + r.reach(l, d); r.to.empty() {
			continue
		}
		key := memoryKey{d, r.after(l.used, d)}
		if work += r.unseen(key); r.to.empty() {
			continue
		}
		work += workUnit
		r.keep(key)
		whole = whole || r.to.has(r.m.end)
	}
	return work, whole
}

// reach puts into to where a stage on class d may end behind a leg.
func (r *routes) reach(l *leg, d int) (work int) {
	copy(r.from, r.start[d])
	r.from.keepOnly(l.at)
	if l.class >= 0 {
		r.from.keepOnly(r.t.crossing(l.class, d))
	}
	clear(r.to)
	for i := r.from.next(0); i >= 0; i = r.from.next(i + 1) {
		r.to.or(r.t.ends[d][i])
		work++
	}
	r.to.keepOnly(r.ended[d])
	return work
}

// after is what a stage on class d remembers behind one that remembers used.
func (r *routes) after(used nodeSet, d int) nodeSet {
	bit := r.first[d]
	for used.has(bit) {
		bit++
	}
	used = used.and(r.near[d])
	used.set(bit)
	return used
}

// unseen takes out of to what was reached before with no more to remember, in no
// more stages.
func (r *routes) unseen(key memoryKey) (work int) {
	for k := range r.seen[key.class] {
		if o := &r.seen[key.class][k]; o.used.within(key.used) {
			r.to.without(o.at)
		}
	}
	return len(r.seen[key.class])
}

// keep adds what to has to the last legs.
func (r *routes) keep(key memoryKey) {
	at, some := r.at[key]
	if !some {
		at = int32(len(r.seen[key.class]))
		r.at[key] = at
		r.seen[key.class] = append(r.seen[key.class], memory{key.used, make(bitset, len(r.to))})
	}
	r.seen[key.class][at].at.or(r.to)
	last := &r.legs[len(r.legs)-1]
	if k, some := r.index[key]; some {
		(*last)[k].at.or(r.to)
		return
	}
	r.index[key] = int32(len(*last))
	*last = append(*last, leg{key.class, key.used, slices.Clone(r.to)})
}
