// Package paper holds the algorithms of A. Parthasarathy and B. Krishnamachari,
// "Partitioning and Placement of Deep Neural Networks on Distributed Edge Devices to
// Maximize Inference Throughput", arXiv 2210.12219, as the authors' published code
// has them, with its costs, its baselines and its random networks. Package solver
// has the repaired form of the algorithm; here nothing is repaired, so that what the
// paper reports can be reproduced.
package paper

import "errors"

// The ways in which the published algorithms end without a bottleneck. They are
// counted apart and never averaged.
var (
	// ErrMemory is the published "MemoryError": no partition has as few parts as
	// there are nodes.
	ErrMemory = errors.New("no partition fits the nodes")
	// ErrOneNode says that the model fits one node, so nothing is transferred.
	ErrOneNode = errors.New("the model fits one node")
	// ErrUnmatched says that k-path matching left a part without a node.
	ErrUnmatched = errors.New("k-path matching found no node for a part")
)

// Placement is a partition on a network. Part k ends with candidate point Cuts[k] and
// runs on Nodes[k]; the last part ends with the model, so it has no cut.
type Placement struct {
	Cuts  []int
	Nodes []int
}

// Bottleneck is the largest transfer time, in seconds.
func (p *Placement) Bottleneck(c *Chain, net Network) (beta float64) {
	for k, cut := range p.Cuts {
		beta = max(beta, c.Transfer[cut]/net[p.Nodes[k]][p.Nodes[k+1]])
	}
	return beta
}

// PlacementBound is the paper's "optimal" for given cuts: the largest of them over
// the fastest link of the network. It bounds what placing these cuts can reach, not
// what other cuts can.
func (p *Placement) PlacementBound(c *Chain, net Network) (beta float64) {
	for _, cut := range p.Cuts {
		beta = max(beta, c.Transfer[cut]/net.Fastest())
	}
	return beta
}
