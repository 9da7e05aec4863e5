package config

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

func linkType() cty.Type {
	return cty.Object(map[string]cty.Type{
		idAttribute: cty.String, "between": cty.List(cty.String), "bandwidth": cty.String, "latency": cty.String,
	})
}

const betweenExample = `between = [node.a, node.b]`

// link reads one link and gives what references to it see.
func (f *frame) link(r *reader) cty.Value {
	l := &Link{Address: r.inst.address, Range: r.rng}
	ends, at, ok := r.nodeList("between", betweenExample)
	switch {
	case at == nil && isAbsent(r, "between"):
		r.missing("between", betweenExample)
	case ok && len(ends) != 2:
		r.fault(at, invalidValue, "A link is between two nodes, and %s has %d. Write %s; a network connects more.", r.name, len(ends), betweenExample)
		ok = false
	case ok && ends[0] == ends[1]:
		r.fault(at, invalidValue, "%s connects %s to itself. Name two different nodes.", r.inst.address, ends[0])
		ok = false
	}
	l.Bandwidth, l.unmeasured, l.bandwidthAt = r.bandwidth()
	l.Latency, _, l.LatencyGiven = amount(r, "latency", quantity.ParseDuration)
	if ok {
		l.Between = [2]string{ends[0], ends[1]}
		f.config.Links = append(f.config.Links, l)
	}
	r.seen[idAttribute] = cty.StringVal(l.Address)
	r.seen["between"] = addressList(ends)
	return r.object(linkType())
}

// bandwidth reads the bandwidth of a link or a network; left out is true where none is
// written, so that what was measured counts.
func (r *reader) bandwidth() (rate float64, leftOut bool, at written) {
	rate, origin, at := orMeasured(r, "bandwidth", quantity.ParseBandwidth, 0, nil)
	return rate, origin == Lacking, at
}

func addressList(addresses []string) cty.Value {
	if len(addresses) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	values := make([]cty.Value, len(addresses))
	for i, a := range addresses {
		values[i] = cty.StringVal(a)
	}
	return cty.ListVal(values)
}

// pair is two nodes in order of address, or one direction between them.
type pair struct{ from, to string }

func unordered(a, b string) pair {
	if b < a {
		return pair{b, a}
	}
	return pair{a, b}
}

// checkLinks refuses two links between the same nodes. It gives the linked pairs.
func (e *evaluator) checkLinks() map[pair]bool {
	linked, first := map[pair]bool{}, map[pair]*Link{}
	for _, l := range e.config.Links {
		p := unordered(l.Between[0], l.Between[1])
		if other, taken := first[p]; taken {
			e.fault(&l.Range, "Pair linked twice", "%s and %s (%s) both connect %s and %s. Remove one of them.",
				other.Address, l.Address, other.Range, p.from, p.to)
			continue
		}
		first[p], linked[p] = l, true
	}
	return linked
}
