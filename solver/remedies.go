package solver

import (
	"cmp"
	"slices"
	"strings"
)

// remedy is a set of changes that together make a placement possible.
type remedy struct {
	changes []change
	// short just falls short of it, proven; nil where that is not known.
	short []change
}

func (r *remedy) text() string {
	var parts []string
	for _, c := range r.changes {
		parts = append(parts, c.text)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return strings.Join(parts, " and ") + " together"
}

// mostRemedies bounds how many are named; the others how many nodes with more
// memory, more nodes, and links are tried.
const (
	mostRemedies = 4
	mostLarger   = 24
	mostNodes    = 8
	mostPairs    = 400
	mostLinks    = 3 // that are named
)

// remedies are the single changes that are enough, one of each kind; where there
// is none, a smallest set of changes.
func (d *diagnosis) remedies() []*remedy {
	var out []*remedy
	for _, look := range []func() *remedy{
		d.memoryOfOne, d.memoryOfAll, d.anotherNode, d.newLinks, d.onePin, d.moreStages, d.oneIncluded, d.oneCut,
	} {
		if r := look(); r != nil {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		if r := d.several(); r != nil {
			out = append(out, r)
		}
	}
	return out[:min(len(out), mostRemedies)]
}

// memoryOfOne is the node for which the least more memory is enough, among the
// largest.
func (d *diagnosis) memoryOfOne() *remedy {
	var best *remedy
	limit := max(d.enough(), d.asked+1) + 1
	largest := slices.Clone(d.usable)
	slices.SortStableFunc(largest, func(u, v int) int { return cmp.Compare(d.p.room(v), d.p.room(u)) })
	for _, v := range largest[:min(len(largest), mostLarger)] {
		with := func(n int64) change { return moreMemory(n, d.p.nodeName(v), v) }
		n, proven, found := d.o.least(d.asked, limit-1, func(n int64) *Problem { return d.p.with(with(n)) })
		if !found {
			continue
		}
		if limit, best = n, scaledRemedy(n, proven, with); n == d.asked+1 {
			break
		}
	}
	return best
}

// enough is more memory than any stage can use on any usable node.
func (d *diagnosis) enough() int64 {
	most := int64(1)
	for _, v := range d.usable {
		most = max(most, d.needs.most()-d.p.room(v))
	}
	return most
}

func scaledRemedy(n int64, proven bool, with func(int64) change) *remedy {
	r := &remedy{changes: []change{with(n)}}
	if proven {
		r.short = []change{with(n - 1)}
	}
	return r
}

// memoryOfAll is how much more memory on each node is enough.
func (d *diagnosis) memoryOfAll() *remedy {
	if len(d.usable) < 2 {
		return nil
	}
	with := func(n int64) change { return moreMemory(n, "every node", d.usable...) }
	n, proven, found := d.o.least(d.asked, max(d.enough(), d.asked+1), func(n int64) *Problem { return d.p.with(with(n)) })
	if !found {
		return nil
	}
	return scaledRemedy(n, proven, with)
}

// anotherNode is the kind of node of which the fewest more are enough.
func (d *diagnosis) anotherNode() *remedy {
	var best *remedy
	limit := int64(mostNodes + 1)
	for _, v := range d.kinds() {
		with := func(n int64) change { return d.p.moreNodes(int(n), v) }
		n, proven, found := d.o.least(0, limit-1, func(n int64) *Problem { return d.p.with(with(n)) })
		if !found {
			continue
		}
		if limit, best = n, scaledRemedy(n, proven, with); n == 1 {
			break
		}
	}
	return best
}

// kinds are usable nodes that differ in memory or links, the first of each kind.
func (d *diagnosis) kinds() []int {
	var out []int
	for _, v := range d.usable {
		if !slices.ContainsFunc(out, func(u int) bool { return d.p.room(u) == d.p.room(v) && d.p.linkedAlike(u, v) }) {
			out = append(out, v)
		}
	}
	return out
}

// linkedAlike says whether two nodes are linked with the same others.
func (p *Problem) linkedAlike(u, v int) bool {
	for w := range p.Nodes {
		if w != u && w != v && ((p.Bandwidth[u][w] > 0) != (p.Bandwidth[v][w] > 0) || (p.Bandwidth[w][u] > 0) != (p.Bandwidth[w][v] > 0)) {
			return false
		}
	}
	return true
}

// first is the first of some changes that is enough by itself.
func (d *diagnosis) first(changes []change) *remedy {
	for _, c := range changes {
		if d.o.work > 0 && d.o.ask(d.p.with(c)) == fits {
			return &remedy{changes: []change{c}}
		}
	}
	return nil
}

func (d *diagnosis) onePin() *remedy {
	var pins []change
	for _, pin := range d.sortedPins() {
		pins = append(pins, d.p.unpinned(pin))
	}
	return d.first(pins)
}

func (d *diagnosis) moreStages() *remedy {
	if d.p.MaxStages == 0 || d.p.MaxStages >= len(d.usable) {
		return nil
	}
	with := func(n int64) change { return maxStages(int(n)) }
	n, proven, found := d.o.least(int64(d.p.MaxStages), int64(len(d.usable)), func(n int64) *Problem { return d.p.with(with(n)) })
	if !found {
		return nil
	}
	return scaledRemedy(n, proven, with)
}

func (d *diagnosis) oneIncluded() *remedy {
	var nodes []change
	for _, v := range slices.Compact(slices.Sorted(slices.Values(d.p.ExcludedNodes))) {
		nodes = append(nodes, d.p.included(v))
	}
	return d.first(nodes)
}

func (d *diagnosis) oneCut() *remedy {
	if d.p.AllowedCuts == nil || d.o.ask(d.p.with(change{apply: func(p *Problem) { p.AllowedCuts = nil }})) != fits {
		return nil
	}
	var cuts []change
	for b := 1; b < d.p.Segments(); b++ {
		if !slices.Contains(d.p.AllowedCuts, b) {
			cuts = append(cuts, d.p.cutAllowed(b))
		}
	}
	return d.first(cuts)
}
