package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

func networkType() cty.Type {
	return cty.Object(map[string]cty.Type{
		idAttribute: cty.String, "nodes": cty.List(cty.String), "bandwidth": cty.String, "latency": cty.String, "shared": cty.Bool,
	})
}

const nodesExample = `nodes = values(node.NAME)`

// network reads one network and gives what references to it see.
func (f *frame) network(r *reader) cty.Value {
	n := &Network{Address: r.inst.address, Range: r.rng}
	nodes, at, ok := r.nodeList("nodes", nodesExample)
	n.Nodes = nodes
	if ok {
		r.checkDistinct(nodes, at)
	}
	n.Shared = r.boolean("shared", false)
	if r.given("links") {
		r.refuseBesideLinks("bandwidth")
		r.refuseBesideLinks("latency")
		r.rows(n, ok)
	} else {
		if isAbsent(r, "nodes") && at == nil {
			r.missing("nodes", nodesExample)
		}
		n.Bandwidth, n.unmeasured, n.bandwidthAt = r.bandwidth()
		n.Latency, _, n.LatencyGiven = amount(r, "latency", quantity.ParseDuration)
	}
	if ok || !r.given("nodes") {
		f.addNetwork(n)
	}
	r.seen[idAttribute] = cty.StringVal(n.Address)
	r.seen["nodes"] = addressList(n.Nodes)
	return r.object(networkType())
}

func (r *reader) checkDistinct(nodes []string, at *hcl.Range) {
	seen := map[string]bool{}
	for _, node := range nodes {
		if seen[node] {
			r.fault(at, invalidValue, "%s stands twice in nodes. Name it once, or write distinct(...).", node)
			return
		}
		seen[node] = true
	}
}

func (r *reader) refuseBesideLinks(name string) {
	if attr, ok := r.content.Attributes[name]; ok {
		r.fault(&attr.NameRange, "Conflicting arguments", "Every row of links has its own %s. Remove %s here, or links.", name, name)
	}
}

func (f *frame) addNetwork(n *Network) {
	f.config.Networks = append(f.config.Networks, n)
}

// meshed is a network as the pairs it connects.
type meshed struct {
	*Network
	members map[string]bool
	rows    map[pair]bool // nil: every pair of members
}

func newMeshed(n *Network) *meshed {
	m := &meshed{Network: n, members: map[string]bool{}}
	for _, node := range n.Nodes {
		m.members[node] = true
	}
	if n.Links == nil {
		return m
	}
	m.rows = make(map[pair]bool, len(n.Links))
	for _, row := range n.Links {
		m.rows[pair{row.From, row.To}] = true
	}
	return m
}

func (m *meshed) connects(p pair) bool {
	if m.rows != nil {
		return m.rows[p]
	}
	return m.members[p.from] && m.members[p.to]
}

// common is the first pair, in order, that both networks connect and no link does.
func (m *meshed) common(other *meshed, linked map[pair]bool) (pair, bool) {
	if m.rows == nil && other.rows != nil {
		return other.common(m, linked)
	}
	for _, row := range m.Links {
		p := pair{row.From, row.To}
		if other.connects(p) && !linked[unordered(p.from, p.to)] {
			return p, true
		}
	}
	if m.rows != nil {
		return pair{}, false
	}
	return m.commonMembers(other, linked)
}

func (m *meshed) commonMembers(other *meshed, linked map[pair]bool) (pair, bool) {
	var both []string
	for _, node := range m.Nodes {
		if other.members[node] {
			both = append(both, node)
		}
	}
	for i, a := range both {
		for _, b := range both[i+1:] {
			if !linked[unordered(a, b)] {
				return pair{a, b}, true
			}
		}
	}
	return pair{}, false
}

// checkNetworks refuses a pair in two networks, unless a link decides for it.
func (e *evaluator) checkNetworks(linked map[pair]bool) {
	if len(e.config.Networks) < 2 {
		return
	}
	var earlier []*meshed
	for _, n := range e.config.Networks {
		m := newMeshed(n)
		for _, other := range earlier {
			if p, ok := other.common(m, linked); ok {
				e.fault(&m.Range, "Pair in two networks",
					"%s and %s are connected by %s (%s) and by %s. Take one of them out of a network, or declare a link between the two: it wins over both.",
					p.from, p.to, other.Address, other.Range, m.Address)
			}
		}
		earlier = append(earlier, m)
	}
}
