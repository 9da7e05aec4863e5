package solver

import "slices"

// colouring finds paths whose nodes all have different colours.
type colouring struct {
	k     *matching
	nodes []int
	near  []bitset // by index into nodes
}

func newColouring(k *matching, nodes []int, rate float64) *colouring {
	c := &colouring{k: k, nodes: nodes}
	for _, u := range nodes {
		row := make(bitset, words(len(nodes)))
		for i, v := range nodes {
			if u != v && k.bandwidth(u, v) >= rate {
				row.set(i)
			}
		}
		c.near = append(c.near, row)
	}
	return c
}

// try draws colours and looks for a path with all n of them, by dynamic programming
// over sets of colours; first and last are indexes of nodes, or -1.
func (c *colouring) try(n, first, last int) []int {
	colour := make([]int, len(c.nodes))
	for i := range colour {
		colour[i] = c.k.draw.IntN(n)
	}
	ends := make([]bitset, 1<<n) // [colours]: nodes where such a path may end
	for set := range ends {
		ends[set] = make(bitset, words(len(c.nodes)))
	}
	for i := range c.nodes {
		if (first < 0 || i == first) && (i != last || n == 1) {
			ends[1<<colour[i]].set(i)
		}
	}
	full := 1<<n - 1
	for set := 1; set < full; set++ {
		for v := range c.nodes {
			more := set | 1<<colour[v]
			// The last node stands nowhere else.
			wrong := last >= 0 && (v == last) != (more == full)
			if more != set && !wrong && ends[set].meets(c.near[v]) {
				ends[more].set(v)
			}
		}
	}
	if end := ends[full].next(0); end >= 0 {
		return c.trace(ends, colour, full, end)
	}
	return nil
}

func (c *colouring) trace(ends []bitset, colour []int, set, v int) []int {
	path := []int{c.nodes[v]}
	for set &^= 1 << colour[v]; set != 0; set &^= 1 << colour[v] {
		before := make(bitset, len(c.near[v]))
		before.orAnd(ends[set], c.near[v])
		v = before.next(0)
		path = append(path, c.nodes[v])
	}
	slices.Reverse(path)
	return path
}
