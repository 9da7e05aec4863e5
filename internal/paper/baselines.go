package paper

import "math/rand/v2"

// Greedy is the published "joint optimization": the cuts of Partition, and from every
// node a walk to the neighbour that is not visited yet and has the fastest link; the
// best of these walks. It looks at the links only after the cuts are chosen.
func Greedy(c *Chain, net Network, cuts []int) *Placement {
	var best *Placement
	for start := range net {
		p := &Placement{Cuts: cuts, Nodes: net.walk(start, len(cuts)+1)}
		if best == nil || p.Bottleneck(c, net) < best.Bottleneck(c, net) {
			best = p
		}
	}
	return best
}

// walk visits n nodes from one on.
func (net Network) walk(v, n int) []int {
	visited := make([]bool, len(net))
	nodes := []int{}
	for {
		visited[v] = true
		nodes = append(nodes, v)
		if len(nodes) == n {
			return nodes
		}
		next := -1
		for u, band := range net[v] {
			if !visited[u] && (next < 0 || band > net[v][next]) {
				next = u
			}
		}
		v = next
	}
}

// Random is the published baseline: parts are packed as full as the published rule
// lets them, each cut is drawn from behind the packed cut before it up to its own
// place, and the nodes are a random sample. Nothing checks that the drawn parts fit.
func Random(c *Chain, net Network, capacity int64, draw *rand.Rand) (*Placement, error) {
	p := &Placement{}
	before := -1
	for _, packed := range c.pack(capacity) {
		p.Cuts = append(p.Cuts, before+1+draw.IntN(packed-before))
		before = packed
	}
	switch {
	case len(p.Cuts) == 0:
		return nil, ErrOneNode
	case len(p.Cuts) >= len(net):
		return nil, ErrMemory
	}
	p.Nodes = draw.Perm(len(net))[:len(p.Cuts)+1]
	return p, nil
}

// pack gives the last point of each full part.
func (c *Chain) pack(capacity int64) (cuts []int) {
	end := len(c.Points)
	for i := 0; i < end; {
		j := i
		for j < end && c.Fits(i, j, capacity) {
			j++
		}
		if j != end {
			cuts = append(cuts, j)
		}
		i = j + 1
	}
	return cuts
}
