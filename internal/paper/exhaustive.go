package paper

// searchSteps bounds lacksPath; beyond them it does not know.
const searchSteps = 1 << 18

// lacksPath says that no path of n nodes from s to u exists in H, as far as an
// exhaustive search of bounded length can tell.
func (h *subgraph) lacksPath(n, s, u int) bool {
	from := h.nodes
	if s != unmatched {
		from = setOf(s)
	}
	steps := searchSteps
	for ; from != 0; from = from.minus(from.first()) {
		if v := from.first(); h.extends(v, u, n-1, h.nodes.minus(v), &steps) {
			return false
		}
	}
	return true
}

// extends says that a path from v has n more nodes, of those that are left, and ends
// at u; or that the steps are used up.
func (h *subgraph) extends(v, u, n int, left nodeSet, steps *int) bool {
	if *steps--; *steps < 0 {
		return true
	}
	if n == 0 {
		return u == unmatched || u == v
	}
	if v == u || left.size() < n {
		return false
	}
	for on := h.near[v] & left; on != 0; on = on.minus(on.first()) {
		if w := on.first(); h.extends(w, u, n-1, left.minus(w), steps) {
			return true
		}
	}
	return false
}
