package plan

import (
	"cmp"
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
)

// pair is one direction between two nodes, by address.
type pair struct{ from, to string }

// connection is how one node reaches another.
type connection struct {
	via       string  // address of the link or network
	bandwidth float64 // bytes per second
	latency   float64 // seconds one way
	// Where they come from.
	origin, latencyOrigin config.Origin
	// spread is half of the 95 % confidence interval of a measured bandwidth as a share
	// of it; 0 of a declared one.
	spread float64
}

// network is every connection of a configuration. A link between two nodes wins
// over a network they are both in, and leaves its radio.
type network struct {
	measured    *measurement.Index
	connections map[pair]connection
	shared      []sharedNetwork // in order of address
}

// sharedNetwork is a medium whose transfers add up.
type sharedNetwork struct {
	address string
	pairs   []pair
}

// figures are what the configuration says of a direction: a bandwidth of 0 is as
// measured, and so is a latency that is not given.
type figures struct {
	bandwidth, latency float64
	latencyGiven       bool
}

func newNetwork(c *config.Config) network {
	n := network{measured: c.Measured, connections: map[pair]connection{}}
	for _, link := range c.Links {
		says := figures{link.Bandwidth, link.Latency.Seconds(), link.LatencyGiven}
		n.connect(pair{link.Between[0], link.Between[1]}, link.Address, says)
		n.connect(pair{link.Between[1], link.Between[0]}, link.Address, says)
	}
	linked := linkedBy(c)
	for _, net := range c.Networks {
		n.addNetwork(net, linked)
	}
	return n
}

// linkedBy are the directions that links decide on, be it that nothing is sent there.
func linkedBy(c *config.Config) map[pair]bool {
	linked := map[pair]bool{}
	for _, link := range c.Links {
		linked[pair{link.Between[0], link.Between[1]}] = true
		linked[pair{link.Between[1], link.Between[0]}] = true
	}
	return linked
}

// connect keeps a direction, and says whether there is one: there is none whose bandwidth
// is to be the measured one and was not measured.
func (n *network) connect(p pair, via string, says figures) bool {
	c := connection{via: via, bandwidth: says.bandwidth, latency: says.latency, origin: config.Declared, latencyOrigin: config.Declared}
	if !says.latencyGiven {
		c.latencyOrigin = Assumed
	}
	if measured := n.measured.Link(p.from, p.to); measured != nil && measured.BandwidthBytesPerSecond > 0 {
		if !says.latencyGiven {
			c.latency, c.latencyOrigin = measured.RoundTripSeconds/2, config.Measured
		}
		if c.bandwidth == 0 {
			c.bandwidth, c.spread, c.origin = measured.BandwidthBytesPerSecond, measured.Spread, config.Measured
		}
	}
	if c.bandwidth == 0 {
		return false
	}
	n.connections[p] = c
	return true
}

func (n *network) addNetwork(net *config.Network, linked map[pair]bool) {
	shared := sharedNetwork{address: net.Address}
	add := func(p pair, says figures) {
		if _, other := n.connections[p]; other || linked[p] || p.from == p.to {
			return
		}
		if n.connect(p, net.Address, says) {
			shared.pairs = append(shared.pairs, p)
		}
	}
	for _, link := range net.Links {
		add(pair{link.From, link.To}, figures{link.Bandwidth, link.Latency.Seconds(), link.LatencyGiven})
	}
	if net.Links == nil {
		for _, from := range net.Nodes {
			for _, to := range net.Nodes {
				add(pair{from, to}, figures{net.Bandwidth, net.Latency.Seconds(), net.LatencyGiven})
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
