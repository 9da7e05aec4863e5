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
	r.legs, r.seen, r.at = r.legs[:0], make([][]memory, len(r.m.classes)), map[memoryKey]int32{}
	for depth := 0; depth < r.m.stages; depth++ {
		r.legs = append(r.legs, nil)
		before := []leg{{class: -1, at: bitset{1}}}
		if depth > 0 {
			before = r.legs[depth-1]
		}
		index := map[memoryKey]int32{}
		for k := range before {
			work, whole := r.extend(&before[k], depth, index)
			if !b.spend(1+work/workUnit) || b.work > end {
				return false, false
			}
			if whole {
				return true, true
			}
		}
		if len(r.legs[depth]) == 0 {
			return false, true
		}
	}
	return false, true
}

// extend adds every stage that can follow a leg.
func (r *routes) extend(l *leg, depth int, index map[memoryKey]int32) (work int, whole bool) {
	for d := range r.m.classes {
		work++
		if r.own[d].within(l.used) || !r.reach(l, d) {
			continue
		}
		key := memoryKey{d, l.used.and(r.near[d])}
		key.used.set(r.bit(l.used, d))
		work += workUnit/4 + r.unseen(key)
		if r.to.empty() {
			continue
		}
		r.keep(key, depth, index)
		whole = whole || r.to.has(r.m.end)
	}
	return work, whole
}

// reach puts into to where a stage on class d may end behind a leg.
func (r *routes) reach(l *leg, d int) bool {
	copy(r.from, r.start[d])
	r.from.keepOnly(l.at)
	if l.class >= 0 {
		r.from.keepOnly(r.t.crossing(l.class, d))
	}
	clear(r.to)
	for i := r.from.next(0); i >= 0; i = r.from.next(i + 1) {
		r.to.or(r.t.ends[d][i])
	}
	r.to.keepOnly(r.ended[d])
	return !r.to.empty()
}

// bit is the member of a class that is used next.
func (r *routes) bit(used nodeSet, d int) int {
	bit := r.first[d]
	for used.has(bit) {
		bit++
	}
	return bit
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

func (r *routes) keep(key memoryKey, depth int, index map[memoryKey]int32) {
	at, some := r.at[key]
	if !some {
		at = int32(len(r.seen[key.class]))
		r.at[key] = at
		r.seen[key.class] = append(r.seen[key.class], memory{key.used, make(bitset, len(r.to))})
	}
	r.seen[key.class][at].at.or(r.to)
	if k, some := index[key]; some {
		r.legs[depth][k].at.or(r.to)
		return
	}
	index[key] = int32(len(r.legs[depth]))
	r.legs[depth] = append(r.legs[depth], leg{key.class, key.used, slices.Clone(r.to)})
}
