package solver

import "slices"

// colouring finds paths of n nodes whose colours all differ.
type colouring struct {
	k     *matching
	nodes []int
	n     int
	near  []bitset // by index into nodes
	with  []bitset // by colour: the nodes that have it
	ends  []bitset // by set of colours: nodes where a path with these may end
	last  bitset   // the node where the path has to end; empty for any
}

func newColouring(k *matching, nodes []int, rate float64, n int) *colouring {
	c := &colouring{k: k, nodes: nodes, n: n}
	c.with, c.ends, c.near = c.sets(n), c.sets(1<<n), c.sets(len(nodes))
	c.last = c.sets(1)[0]
	for i, u := range nodes {
		for j, v := range nodes {
			if u != v && k.bandwidth(u, v) >= rate {
				c.near[i].set(j)
			}
		}
	}
	return c
}

// sets makes empty sets of nodes.
func (c *colouring) sets(count int) []bitset {
	size := words(len(c.nodes))
	out, all := make([]bitset, count), make(bitset, size*count)
	for i := range out {
		out[i] = all[i*size : (i+1)*size]
	}
	return out
}

// try draws colours and looks for a path with all n of them, by dynamic programming
// over sets of colours; first and last are indexes of nodes, or -1.
func (c *colouring) try(first, last int) []int {
	if !c.paint(first, last) {
		return nil
	}
	full := 1<<c.n - 1
	reached := c.sets(1)[0]
	for set := 1; set < full; set++ {
		clear(reached)
		for v := c.ends[set].next(0); v >= 0; v = c.ends[set].next(v + 1) {
			reached.or(c.near[v])
		}
		for colour, nodes := range c.with {
			if more := set | 1<<colour; more != set {
				c.ends[more].orAnd(reached, nodes)
				c.keepLast(more, full)
			}
		}
	}
	if end := c.ends[full].next(0); end >= 0 {
		return c.trace(full, end)
	}
	return nil
}

// paint draws the colours and begins the paths. Without a node of every colour there
// is none.
func (c *colouring) paint(first, last int) bool {
	for _, sets := range [][]bitset{c.with, c.ends, {c.last}} {
		for _, s := range sets {
			clear(s)
		}
	}
	for i := range c.nodes {
		c.with[c.k.draw.IntN(c.n)].set(i)
	}
	if last >= 0 {
		c.last.set(last)
	}
	for colour, nodes := range c.with {
		if nodes.empty() {
			return false
		}
		if start := c.ends[1<<colour]; first < 0 {
			start.or(nodes)
		} else if nodes.has(first) {
			start.set(first)
		}
		c.keepLast(1<<colour, 1<<c.n-1)
	}
	return true
}

// keepLast keeps a given last node for the end of the path.
func (c *colouring) keepLast(set, full int) {
	if c.last.empty() {
		return
	}
	for w, last := range c.last {
		if set == full {
			c.ends[set][w] &= last
		} else {
			c.ends[set][w] &^= last
		}
	}
}

func (c *colouring) trace(set, v int) []int {
	path := []int{c.nodes[v]}
	for set = c.without(set, v); set != 0; set = c.without(set, v) {
		before := c.sets(1)[0]
		before.orAnd(c.ends[set], c.near[v])
		v = before.next(0)
		path = append(path, c.nodes[v])
	}
	slices.Reverse(path)
	return path
}

// without is a set of colours but for that of a node.
func (c *colouring) without(set, v int) int {
	colour := slices.IndexFunc(c.with, func(nodes bitset) bool { return nodes.has(v) })
	return set &^ (1 << colour)
}
