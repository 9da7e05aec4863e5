package plan

import (
	"cmp"
	"slices"

	"github.com/edgeplan/edgeplan/config"
)

// pair is one direction between two nodes, by address.
type pair struct{ from, to string }

// connection is how one node reaches another.
type connection struct {
	via       string  // address of the link or network
	bandwidth float64 // bytes per second
	latency   float64 // seconds one way
}

// network is every connection of a configuration. A link between two nodes wins
// over a network they are both in, and leaves its radio.
type network struct {
	connections map[pair]connection
	shared      []sharedNetwork // in order of address
}

// sharedNetwork is a medium whose transfers add up.
type sharedNetwork struct {
	address string
	pairs   []pair
}

func newNetwork(c *config.Config) network {
	n := network{connections: map[pair]connection{}}
	for _, link := range c.Links {
		to := connection{link.Address, link.Bandwidth, link.Latency.Seconds()}
		n.connections[pair{link.Between[0], link.Between[1]}] = to
		n.connections[pair{link.Between[1], link.Between[0]}] = to
	}
	for _, net := range c.Networks {
		n.addNetwork(net)
	}
	return n
}

func (n *network) addNetwork(net *config.Network) {
	shared := sharedNetwork{address: net.Address}
	add := func(p pair, bandwidth, latency float64) {
		if _, linked := n.connections[p]; linked || p.from == p.to {
			return
		}
		n.connections[p] = connection{net.Address, bandwidth, latency}
		shared.pairs = append(shared.pairs, p)
	}
	for _, link := range net.Links {
		add(pair{link.From, link.To}, link.Bandwidth, link.Latency.Seconds())
	}
	if net.Links == nil {
		for _, from := range net.Nodes {
			for _, to := range net.Nodes {
				add(pair{from, to}, net.Bandwidth, net.Latency.Seconds())
			}
		}
	}
	if net.Shared {
		n.shared = append(n.shared, shared)
		slices.SortFunc(n.shared, func(a, b sharedNetwork) int { return cmp.Compare(a.address, b.address) })
	}
}

// isShared says whether a link or network is a shared medium.
func (n *network) isShared(address string) bool {
	return slices.ContainsFunc(n.shared, func(s sharedNetwork) bool { return s.address == address })
}
