package solver

import (
	"cmp"
	"slices"
)

// Dominance between what different placements of the first chains leave for the rest:
// where nothing came of less load and less memory used, nothing comes of more. Loads
// that cannot matter, whatever the chains to come do, count as none, and nodes that
// nothing tells apart may then change places.

const mostDominators = 1 << 10 // kept for each depth

// residue is what matters of a state to the chains from a depth on: the load and the
// used memory of each node, then the loads of the other resources.
type residue []int64

// dominators are residues of which nothing came.
type dominators struct {
	all []residue
	// The most that the chains to come can add.
	extra []int64 // by resource
	bytes []int64 // by node
}

func (j *joint) newDominators(coming []*chain) dominators {
	d := dominators{extra: make([]int64, j.resources), bytes: make([]int64, j.n)}
	for _, c := range coming {
		d.addChain(j, c)
	}
	return d
}

func (d *dominators) addChain(j *joint, c *chain) {
	largest := slices.Max(c.m.bytes)
	for i := range c.hops {
		for _, part := range c.hops[i].parts {
			// A link carries one transfer of a chain. All else may carry more.
			if part.net >= j.link(0, 0) {
				d.extra[part.net] += bytesPS(largest, part.rate)
			} else {
				d.extra[part.net] = never
			}
		}
	}
	var live int64
	for _, row := range c.m.live {
		if row != nil {
			live = max(live, slices.Max(row))
		}
	}
	for v := range j.n {
		d.extra[v] = never
		d.bytes[v] += c.base[v] + c.m.weight[c.m.end] + live + (c.m.p.InBuffers+c.m.p.OutBuffers)*largest
	}
}

// residue is that of a state below a limit.
func (d *dominators) residue(s *jointState, limit int64) residue {
	j := s.j
	out := make(residue, 2*j.n, j.resources+j.n)
	for v := range j.n {
		out[2*v] = s.load[v]
		if s.free[v] < d.bytes[v] {
			out[2*v+1] = j.room[v] - s.free[v]
		}
	}
	free := true
	for r := j.n; r < j.resources; r++ {
		ps := s.load[r]
		if ps+min(d.extra[r], never) < limit {
			ps = 0
		}
		free = free && ps == 0
		out = append(out, ps)
	}
	if free {
		out = out[:2*j.n]
		j.sortTwins(out)
	}
	return out
}

// sortTwins puts the nodes of each class of twins in order.
func (j *joint) sortTwins(r residue) {
	for first := range j.n {
		if j.twins[first] != first {
			continue
		}
		var pairs [][2]int64
		for v := first; v < j.n; v++ {
			if j.twins[v] == first {
				pairs = append(pairs, [2]int64{r[2*v], r[2*v+1]})
			}
		}
		slices.SortFunc(pairs, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
		for v := first; v < j.n; v++ {
			if j.twins[v] == first {
				r[2*v], r[2*v+1] = pairs[0][0], pairs[0][1]
				pairs = pairs[1:]
			}
		}
	}
}

// dominated says whether nothing can come of a residue, and the work of finding out.
func (d *dominators) dominated(r residue) (yes bool, work int) {
	for _, a := range d.all {
		work += 4
		if a.below(r) {
			return true, work
		}
	}
	return false, work
}

// below says that there is no more of anything in a than in b. A residue that ends
// earlier has nothing there.
func (a residue) below(b residue) bool {
	if len(a) > len(b) {
		return false // its other loads matter, and those of b do not
	}
	for i, x := range a {
		if x > b[i] {
			return false
		}
	}
	return true
}

func (d *dominators) add(r residue) {
	if len(d.all) < mostDominators {
		d.all = append(d.all, r)
	}
}
