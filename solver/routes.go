package solver

import "slices"

// routes decides a threshold where scarce links are what matters: many nodes alike,
// and few stages. Prices say little there, since a walk that goes to and fro between
// two nodes uses the fastest link again and again. Here a walk remembers nodes
// instead. A beginning on class c keeps, of the nodes that it has used, those that
// are near c, and cannot use them again; beginnings that remember the same are one,
// with a bit set of the positions where its last stage may end. This is the ng-route
// relaxation of Baldacci, Mingozzi and Roberti (Operations Research 59, 2011). At
// first nothing is near, and whenever the walk found uses a node twice, that node
// becomes near to all on the way between (Roberti and Mingozzi, Transportation
// Science 48, 2014). When no walk is left there is no placement: proven, in sets.
type routes struct {
	m     *model
	first []int     // [class]: its first bit in a memory, one a member
	own   []nodeSet // [class]: the bits of its members
	near  []nodeSet // [class]: the bits that it remembers
	t     *table
	start []bitset            // [class]: where a stage may start so that some walk ends the chain
	ended []bitset            // [class]: where it may end
	legs  [][]leg             // by the number of stages
	index map[memoryKey]int32 // where in the last legs a memory is
	seen  [][]memory          // [class]: in all legs
	at    map[memoryKey]int32 // where in seen a memory is
	// scratch of extend
	from, to bitset
}

const (
	routeWork = 1 << 14 // what one threshold may take
	routeGap  = 32      // above this part of the bottleneck a gap is halved, below it its values are
)

// newRoutes gives nil where there are more nodes than a memory holds.
func newRoutes(m *model) *routes {
	r := &routes{m: m, from: make(bitset, words(m.end+1)), to: make(bitset, words(m.end+1))}
	members := 0
	for _, c := range m.classes {
		r.first = append(r.first, members)
		members += len(c.members)
	}
	if members > mostRouted {
		return nil
	}
	for c := range m.classes {
		var own nodeSet
		for k := range m.classes[c].members {
			own.set(r.first[c] + k)
		}
		r.own = append(r.own, own)
	}
	r.near = slices.Clone(r.own)
	return r
}

// decide looks for a placement within a threshold. Without one, and with proven, there
// is none; without either the budget ran out, or most of the work was done.
func (r *routes) decide(t *table, b *budget, most int) (way path, proven bool) {
	r.t = t
	r.complete()
	b.spend(len(r.first) * r.m.end / workUnit * (len(r.first) + r.m.end/workUnit))
	for end := b.work + int64(most); ; r.remember(way) {
		found, done := r.walk(b, end)
		if !found {
			return nil, done
		}
		if way = r.trace(b); r.m.places(way) {
			return way, false
		}
	}
}

// complete finds from where any walk goes to the end of the chain.
func (r *routes) complete() {
	m, t := r.m, r.t
	r.start, r.ended = m.newSets(), m.newSets()
	for c := range m.classes {
		r.ended[c].set(m.end)
	}
	for i := m.end - 1; i >= 0; i-- {
		for d := range m.classes {
			if t.ends[d][i].meets(r.ended[d]) {
				r.start[d].set(i)
			}
		}
		for c := range m.classes {
			for d := range m.classes {
				if r.start[d].has(i) && t.crosses(c, d, i) {
					r.ended[c].set(i)
					break
				}
			}
		}
	}
}

func (m *model) newSets() []bitset {
	out := make([]bitset, len(m.classes))
	for c := range out {
		out[c] = make(bitset, words(m.end+1))
	}
	return out
}

// remember makes every node that a walk uses too often near to the ones between.
func (r *routes) remember(way path) {
	for k, s := range way {
		for back := k - 1; back >= 0; back-- {
			if way[back].class != s.class {
				continue
			}
			for _, between := range way[back:k] {
				r.near[between.class] = r.near[between.class].or(r.own[s.class])
			}
			break
		}
	}
}

// route bisects the gap between the bound and the best placement by routes, while
// that takes little work.
func (r *run) route() {
	routes := newRoutes(r.m)
	if routes == nil {
		return
	}
	var values []int64
	for r.low < r.best.peak && !r.b.over {
		at, some := r.low+(r.best.peak-r.low)/2, true
		if r.best.peak-r.low <= r.best.peak/routeGap {
			if values == nil {
				values = r.m.values(r.low, r.best.peak)
			}
			at, some = middle(values, r.low, r.best.peak)
		}
		if !some && !r.m.sums() {
			r.low = r.best.peak
		}
		if !some || !r.step(routes, at) {
			return
		}
	}
}

// step takes one threshold as the bound or finds a placement within it; false means
// that it did neither.
func (r *run) step(routes *routes, at int64) bool {
	t := newTable(r.m, at)
	way, proven := routes.decide(t, r.b, routeWork)
	if proven {
		r.low = min(t.above, r.best.peak)
		return true
	}
	if way == nil {
		return false
	}
	r.offer(way)
	r.offer(r.m.improve(way, r.b))
	return r.best.peak <= at
}
