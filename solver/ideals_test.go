package solver

import "slices"

// An order decides which cuts there are. With nodes that have to stay together taken
// as one, a graph like those of dnn-partitioning has few ideals (sets of nodes closed
// under predecessors, which are all the cuts of all orders), and for equal devices a
// dynamic programme over them finds the best cuts of any order (Tarnawski et al.,
// "Efficient algorithms for device placement of DNN graph operators", NeurIPS 2020).

// ideal is a set of groups.
type ideal [4]uint64

func (s ideal) has(k int) bool { return s[k>>6]>>(k&63)&1 != 0 }

func (s ideal) with(k int) ideal {
	s[k>>6] |= 1 << (k & 63)
	return s
}

func (s ideal) within(o ideal) bool {
	return s[0]&^o[0]|s[1]&^o[1]|s[2]&^o[2]|s[3]&^o[3] == 0
}

// parts cuts the graph for its accelerators and gives each node's part, when each
// device computes, receives and sends one after another.
func (g *dnnGraph) parts(rate float64) map[int]int {
	group, before := g.groups()
	all := ideals(before)
	seconds, bytes, cut := make([]float64, len(all)), make([]float64, len(all)), make([]float64, len(all))
	for k, s := range all {
		for _, v := range g.Nodes {
			if s.has(group[v.ID]) {
				seconds[k] += v.FPGALatency
				bytes[k] += v.Size
			}
		}
		seen := map[int]bool{}
		for _, e := range g.Edges {
			if s.has(group[e.SourceID]) && !s.has(group[e.DestID]) && !seen[e.SourceID] {
				seen[e.SourceID] = true
				cut[k] += e.Size / rate
			}
		}
	}
	// least[d][k] is the smallest largest load of d devices that have ideal k.
	last := len(all) - 1
	least, from := make([][]float64, g.MaxFPGAs+1), make([][]int, g.MaxFPGAs+1)
	best := 0
	for d := range least {
		least[d], from[d] = slices.Repeat([]float64{1e300}, len(all)), make([]int, len(all))
		least[d][0] = 0
		for k := 1; d > 0 && k <= last; k++ {
			for i := range k {
				load := max(least[d-1][i], seconds[k]-seconds[i]+cut[i]+cut[k])
				if load < least[d][k] && bytes[k]-bytes[i] <= g.MaxSizePerFPGA && all[i].within(all[k]) {
					least[d][k], from[d][k] = load, i
				}
			}
		}
		if least[d][last] < least[best][last] {
			best = d
		}
	}
	part := map[int]int{}
	for d, k := best, last; d > 0 && k > 0; d, k = d-1, from[d][k] {
		for _, v := range g.Nodes {
			if s := all[from[d][k]]; all[k].has(group[v.ID]) && !s.has(group[v.ID]) {
				part[v.ID] = d
			}
		}
	}
	return part
}

// groups numbers the nodes, those of one colour alike, and gives what has to come
// before each group.
func (g *dnnGraph) groups() (group map[int]int, before []ideal) {
	group, colours := map[int]int{}, map[int]int{}
	for _, v := range g.Nodes {
		k, seen := len(before), false
		if v.ColorClass != nil {
			if k, seen = colours[*v.ColorClass]; !seen {
				k = len(before)
				colours[*v.ColorClass] = k
			}
		}
		if group[v.ID] = k; !seen {
			before = append(before, ideal{})
		}
	}
	for _, e := range g.Edges {
		if a, b := group[e.SourceID], group[e.DestID]; a != b {
			before[b] = before[b].with(a)
		}
	}
	return group, before
}

// ideals lists all ideals, smaller ones first.
func ideals(before []ideal) []ideal {
	all, seen := []ideal{{}}, map[ideal]bool{}
	for at := 0; at < len(all); at++ {
		for k, needs := range before {
			if s := all[at]; !s.has(k) && needs.within(s) {
				if more := s.with(k); !seen[more] {
					seen[more] = true
					all = append(all, more)
				}
			}
		}
	}
	return all
}
