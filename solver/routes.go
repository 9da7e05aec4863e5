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
	start []bitset // [class]: where a stage may start so that some walk ends the chain
	ended []bitset // [class]: where it may end
	legs  [][]leg  // by the number of stages
	seen  [][]memory
	at    map[memoryKey]int32 // where in seen a memory is
	from  bitset
	to    bitset
}

// routeWork is what one threshold may take.
const routeWork = 1 << 16

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
// is none; without either the budget ran out, or the work exceeded most.
func (r *routes) decide(t *table, b *budget, most int) (way path, proven bool) {
	r.t = t
	r.complete()
	for end := b.work + int64(most); ; {
		found, done := r.walk(b, end)
		if !done {
			return nil, false
		}
		if !found {
			return nil, true
		}
		way := r.trace(b)
		if r.m.places(way) {
			return way, false
		}
		r.remember(way)
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
	values := r.m.values(r.low, r.best.peak)
	for r.low < r.best.peak && !r.b.over {
		at, some := middle(values, r.low, r.best.peak)
		if !some {
			if !r.m.sums() {
				r.low = r.best.peak
			}
			return
		}
		t := newTable(r.m, at)
		way, proven := routes.decide(t, r.b, routeWork)
		if proven {
			r.low = min(t.above, r.best.peak)
			continue
		}
		if way == nil {
			return
		}
		r.offer(way)
		r.offer(r.m.improve(way, r.b))
		if r.best.peak > at {
			return
		}
	}
}
