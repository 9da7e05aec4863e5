package probe

// colouring gives every edge one of Δ+1 colours, so that no two at a node are alike.
// Δ is the most edges of a node. The names are those of Misra and Gries.
type colouring struct {
	colours int
	of      map[Pair]int
	at      [][]int // at[v][c] is the neighbour of v by colour c, or none
	edges   [][]int // neighbours of a node, in order
}

const none = -1

// colourEdges colours the pairs of n nodes.
func colourEdges(n int, pairs []Pair) map[Pair]int {
	c := &colouring{colours: busiest(n, pairs) + 1, of: map[Pair]int{}, at: make([][]int, n), edges: make([][]int, n)}
	for v := range c.at {
		c.at[v] = make([]int, c.colours)
		for i := range c.at[v] {
			c.at[v][i] = none
		}
	}
	for _, p := range pairs {
		c.edges[p.A], c.edges[p.B] = append(c.edges[p.A], p.B), append(c.edges[p.B], p.A)
		c.add(p.A, p.B)
	}
	return c.of
}

// add colours the edge between u and its neighbour v.
func (c *colouring) add(u, v int) {
	fan := c.fan(u, v)
	x := fan[len(fan)-1]
	free, end := c.free(u), c.free(x)
	c.invert(u, free, end)
	for i, w := range fan { // a prefix of it is still a fan, and w can take end
		if c.at[w][end] == none && c.isFan(u, fan[:i+1]) {
			c.rotate(u, fan[:i+1], end)
			return
		}
	}
}

// fan is a longest one of u that begins with v: the colour of each edge after the
// first is free at the neighbour before.
func (c *colouring) fan(u, v int) []int {
	fan, used := []int{v}, map[int]bool{v: true}
	for {
		last, grown := fan[len(fan)-1], false
		for _, w := range c.edges[u] {
			colour, coloured := c.of[NewPair(u, w)]
			if !used[w] && coloured && c.at[last][colour] == none {
				fan, used[w], grown = append(fan, w), true, true
				break
			}
		}
		if !grown {
			return fan
		}
	}
}

func (c *colouring) isFan(u int, fan []int) bool {
	for i := 1; i < len(fan); i++ {
		if c.at[fan[i-1]][c.of[NewPair(u, fan[i])]] != none {
			return false
		}
	}
	return true
}

// free is a colour that no edge of a node has.
func (c *colouring) free(v int) int {
	for colour, neighbour := range c.at[v] {
		if neighbour == none {
			return colour
		}
	}
	return none // not with one colour more than edges
}

// invert swaps two colours along the path of them that begins at u, where a is free.
func (c *colouring) invert(u, a, b int) {
	var path []int
	for v, colour := u, b; v != none; colour = a + b - colour {
		path = append(path, v)
		v = c.at[v][colour]
		if a == b {
			break
		}
	}
	var colours []int
	for i := 1; i < len(path); i++ {
		p := NewPair(path[i-1], path[i])
		colours = append(colours, c.of[p])
		c.clear(p)
	}
	for i, colour := range colours {
		c.set(NewPair(path[i], path[i+1]), a+b-colour)
	}
}

// rotate moves the colours of a fan to the edge before each, and gives the last one colour.
func (c *colouring) rotate(u int, fan []int, colour int) {
	var moved []int
	for _, w := range fan[1:] {
		p := NewPair(u, w)
		moved = append(moved, c.of[p])
		c.clear(p)
	}
	for i, old := range append(moved, colour) {
		c.set(NewPair(u, fan[i]), old)
	}
}

func (c *colouring) set(p Pair, colour int) {
	c.of[p], c.at[p.A][colour], c.at[p.B][colour] = colour, p.B, p.A
}

func (c *colouring) clear(p Pair) {
	colour := c.of[p]
	delete(c.of, p)
	c.at[p.A][colour], c.at[p.B][colour] = none, none
}
