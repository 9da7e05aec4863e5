package paper

import (
	"math"
	"math/bits"
	"slices"
)

// MaxNodes is the size of the largest network: sets of nodes are one word.
const MaxNodes = 64

// nodeSet is a set of nodes.
type nodeSet uint64

func setOf(v int) nodeSet             { return 1 << v }
func (s nodeSet) has(v int) bool      { return s>>v&1 == 1 }
func (s nodeSet) first() int          { return bits.TrailingZeros64(uint64(s)) }
func (s nodeSet) minus(v int) nodeSet { return s &^ setOf(v) }
func (s nodeSet) size() int           { return bits.OnesCount64(uint64(s)) }

// subgraph has the free nodes and the edges of at least some bandwidth: H.
type subgraph struct {
	nodes nodeSet
	near  []nodeSet
}

func (k *matching) subgraph(rate float64) *subgraph {
	h := &subgraph{near: make([]nodeSet, len(k.net))}
	for u, row := range k.net {
		if !k.free[u] {
			continue
		}
		h.nodes |= setOf(u)
		for v, band := range row {
			if u != v && k.free[v] && band >= rate {
				h.near[u] |= setOf(v)
			}
		}
	}
	return h
}

// colourCode looks for a path of n nodes in H, from s and to u where these are given,
// by the colour coding of Alon, Yuster and Zwick (J. ACM 42, 1995). As published it
// draws one of floor(1.3 n + 1) - 1 colours for each node and looks for a path with
// the colours 1..n, each once, floor(10 e^n) times; with more colours than n the nodes
// of the other colours are lost to a try, so a path is found less often.
//
// The tries are left out where no path exists, which changes their number and
// nothing else: then none of them can find one.
func (k *matching) colourCode(rate float64, n, s, u int) []int {
	h := k.subgraph(rate)
	if h.lacksPath(n, s, u) {
		return nil
	}
	for range int(10 * math.Exp(float64(n))) {
		c := colouring{h: h, n: n, first: s, last: u, with: make([]nodeSet, n)}
		for v := range k.net {
			if colour := k.draw.IntN(int(1.3*float64(n)+1) - 1); colour < n && h.nodes.has(v) {
				c.with[colour] |= setOf(v)
			}
		}
		if path := c.path(); path != nil {
			return path
		}
	}
	return nil
}

// colouring is one try.
type colouring struct {
	h           *subgraph
	n           int
	first, last int       // given ends, or unmatched
	with        []nodeSet // the nodes of each colour 0..n-1
	ends        []nodeSet // by set of colours: where a path with them may end
}

// path is a path with every colour, or nil.
func (c *colouring) path() []int {
	c.ends = make([]nodeSet, 1<<c.n)
	for colour, nodes := range c.with {
		if nodes == 0 {
			return nil
		}
		c.ends[1<<colour] = c.starts(nodes)
	}
	full := 1<<c.n - 1
	for set := 1; set < full; set++ {
		reached := c.neighbours(c.ends[set])
		for colour, nodes := range c.with {
			if more := set | 1<<colour; more != set {
				c.ends[more] |= c.allowed(reached&nodes, more == full)
			}
		}
	}
	if c.ends[full] == 0 {
		return nil
	}
	return c.trace(full)
}

func (c *colouring) starts(nodes nodeSet) nodeSet {
	if c.first != unmatched {
		nodes &= setOf(c.first)
	}
	return c.allowed(nodes, c.n == 1)
}

// allowed keeps a given last node for the end of the path.
func (c *colouring) allowed(nodes nodeSet, end bool) nodeSet {
	switch {
	case c.last == unmatched:
		return nodes
	case end:
		return nodes & setOf(c.last)
	}
	return nodes.minus(c.last)
}

func (c *colouring) neighbours(of nodeSet) (near nodeSet) {
	for ; of != 0; of = of.minus(of.first()) {
		near |= c.h.near[of.first()]
	}
	return near
}

// trace goes back from the end of a path.
func (c *colouring) trace(set int) []int {
	v := c.ends[set].first()
	path := []int{v}
	for {
		for colour, nodes := range c.with {
			if nodes.has(v) {
				set &^= 1 << colour
			}
		}
		if set == 0 {
			slices.Reverse(path)
			return path
		}
		v = (c.ends[set] & c.h.near[v]).first()
		path = append(path, v)
	}
}
