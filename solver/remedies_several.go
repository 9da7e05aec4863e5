package solver

import "slices"

// lift is a change of which there may be more or less: any number above low, of
// which high is the most.
type lift struct {
	change
	with      func(int64) change // nil: all or nothing
	low, high int64
}

// several lifts all limits and takes back whatever is not needed: what is left is
// enough together, and no part of it can be missed. It takes memory back first,
// then links, and pins last, which are easiest to lift.
func (d *diagnosis) several() *remedy {
	lifts := d.lifts()
	if d.askLifted(lifts) != fits {
		return nil
	}
	lifts = d.needed(lifts)
	r := &remedy{}
	for k, l := range lifts {
		if l.with != nil {
			lifts[k].change, r.short = d.shrink(lifts, k)
		}
	}
	for _, l := range lifts {
		r.changes = append(r.changes, l.change)
	}
	return r
}

// needed takes lifts back from the last to the first, as long as a placement stays
// possible.
func (d *diagnosis) needed(lifts []lift) []lift {
	for k := len(lifts) - 1; k >= 0 && len(lifts) > 1; k-- {
		if rest := slices.Delete(slices.Clone(lifts), k, k+1); d.askLifted(rest) == fits {
			lifts = rest
		}
	}
	return lifts
}

func (d *diagnosis) askLifted(lifts []lift) answer { return d.o.ask(d.p.with(changesOf(lifts)...)) }

func changesOf(lifts []lift) []change {
	var out []change
	for _, l := range lifts {
		out = append(out, l.change)
	}
	return out
}

// shrink finds how little of one lift is enough beside the others, and what just
// falls short of it.
func (d *diagnosis) shrink(lifts []lift, k int) (enough change, short []change) {
	others := changesOf(slices.Delete(slices.Clone(lifts), k, k+1))
	l := lifts[k]
	n, proven, found := d.o.least(l.low, l.high, func(n int64) *Problem { return d.p.with(append(slices.Clip(others), l.with(n))...) })
	switch {
	case !found:
		return l.change, nil
	case !proven:
		return l.with(n), nil
	}
	return l.with(n), append(slices.Clip(others), l.with(n-1))
}

// lifts are everything that can be eased.
func (d *diagnosis) lifts() []lift {
	var out []lift
	for _, pin := range slices.Compact(d.sortedPins()) {
		out = append(out, lift{change: d.p.unpinned(pin)})
	}
	if d.p.MaxStages > 0 && d.p.MaxStages < len(d.p.Nodes) {
		with := func(n int64) change { return maxStages(int(n)) }
		most := int64(len(d.p.Nodes))
		out = append(out, lift{with(most), with, int64(d.p.MaxStages), most})
	}
	for b := 1; b < d.p.Segments() && d.p.AllowedCuts != nil; b++ {
		if !slices.Contains(d.p.AllowedCuts, b) {
			out = append(out, lift{change: d.p.cutAllowed(b)})
		}
	}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(d.p.ExcludedNodes))) {
		out = append(out, lift{change: d.p.included(v)})
	}
	out = append(out, d.linkLifts()...)
	with := func(n int64) change { return moreMemory(n, "every node", d.everyNode()...) }
	most := int64(1)
	for v := range d.p.Nodes {
		most = max(most, d.needs.most()-d.p.room(v))
	}
	return append(out, lift{with(most), with, 0, most})
}

func (d *diagnosis) everyNode() []int {
	var out []int
	for v := range d.p.Nodes {
		out = append(out, v)
	}
	return out
}

// fewLinks is how many missing links are lifted one by one.
const fewLinks = 90

// linkLifts are the missing links, also of excluded nodes.
func (d *diagnosis) linkLifts() []lift {
	var out []lift
	all := *d
	all.usable = d.everyNode()
	for _, c := range all.missingLinks() {
		out = append(out, lift{change: c})
	}
	if len(out) > fewLinks {
		return []lift{{change: allLinked()}}
	}
	return out
}
