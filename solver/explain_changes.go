package solver

import "slices"

// tries are all changes, in the order in which they most likely help: first
// nothing, then the busy resources from the busiest on, then limits, memory, more
// nodes, and what is idle.
func (x *explaining) tries() []func(work int64) *Gain {
	out := []func(int64) *Gain{x.try(Resource{}, change{PlacementChange, "another placement", func(*Problem) {}})}
	var used []int
	for _, r := range x.out.Resources {
		if c := x.more(r.Resource); c != nil {
			out = append(out, x.try(r.Resource, *c))
		}
		if r.Kind == NodeResource {
			used = append(used, r.From)
		}
	}
	for _, pin := range slices.Compact(slices.Clone(x.p.Pinned)) {
		out = append(out, x.try(Resource{}, x.p.unpinned(pin)))
	}
	if n := x.p.MaxStages; n > 0 && n < len(x.p.Nodes)-len(x.p.ExcludedNodes) {
		out = append(out, x.try(Resource{}, maxStages(n+1)))
	}
	for _, v := range used {
		if !slices.Contains(x.p.ExcludedNodes, v) && x.p.Models == nil {
			out = append(out, x.memory(v))
		}
	}
	kinds := x.p.nodeKinds(used)
	for _, v := range kinds {
		out = append(out, x.try(nodeResource(v), x.p.moreNodes(1, v)))
	}
	for _, v := range kinds {
		if !slices.Contains(used, v) {
			out = append(out, x.try(nodeResource(v), x.faster(v)))
			if x.p.Models == nil {
				out = append(out, x.memory(v))
			}
		}
	}
	return out
}

func nodeResource(v int) Resource { return Resource{Kind: NodeResource, From: v} }

// nodeKinds are usable nodes that differ in anything, the first of each kind, and
// those in use first.
func (p *Problem) nodeKinds(used []int) []int {
	m := &model{p: p, media: p.media()}
	usable := p.usableNodes()
	slices.SortStableFunc(usable, func(u, v int) int {
		switch a, b := slices.Contains(used, u), slices.Contains(used, v); {
		case a && !b:
			return -1
		case b && !a:
			return 1
		}
		return 0
	})
	var out []int
	for _, class := range m.sameNodes(usable) {
		out = append(out, class[0])
	}
	return out
}

// tenth is the factor of 10 % more.
const tenth = 1.1

// more gives a resource 10 % more of what it has.
func (x *explaining) more(r Resource) *change {
	text := "10% more bandwidth on " + x.name(r)
	switch r.Kind {
	case LinkResource:
		return &change{BandwidthChange, text, func(p *Problem) { p.widen([][2]int{{r.From, r.To}}) }}
	case NetworkResource:
		return &change{BandwidthChange, text, func(p *Problem) { p.widen(p.Shared[r.From].Pairs) }}
	case InterfaceResource:
		return &change{BandwidthChange, text, func(p *Problem) {
			p.Nodes = slices.Clone(p.Nodes)
			if r.To == InterfaceIn {
				p.Nodes[r.From].ReceiveBytesPerSecond *= tenth
			} else {
				p.Nodes[r.From].SendBytesPerSecond *= tenth
			}
		}}
	}
	if slices.Contains(x.p.ExcludedNodes, r.From) {
		return nil // a gateway that only sends and receives
	}
	c := x.faster(r.From)
	return &c
}

// widen gives some links 10 % more bandwidth.
func (p *Problem) widen(pairs [][2]int) {
	p.Bandwidth = slices.Clone(p.Bandwidth)
	cloned := map[int]bool{}
	for _, pair := range pairs {
		if u := pair[0]; !cloned[u] {
			p.Bandwidth[u], cloned[u] = slices.Clone(p.Bandwidth[u]), true
		}
		p.Bandwidth[pair[0]][pair[1]] *= tenth
	}
}

// faster gives a node 10 % more compute.
func (x *explaining) faster(v int) change {
	return change{ComputeChange, "10% more compute on " + x.p.nodeName(v), func(p *Problem) {
		p.Nodes = slices.Clone(p.Nodes)
		node := &p.Nodes[v]
		node.SegmentSeconds, node.RangeSeconds = shorter(node.SegmentSeconds), shorterRanges(node.RangeSeconds)
		node.ModelSeconds, node.ModelRanges = slices.Clone(node.ModelSeconds), slices.Clone(node.ModelRanges)
		for k, seconds := range node.ModelSeconds {
			node.ModelSeconds[k] = shorter(seconds)
		}
		for k, ranges := range node.ModelRanges {
			node.ModelRanges[k] = shorterRanges(ranges)
		}
		node.StageSeconds, node.ModelStageSeconds = node.StageSeconds/tenth, shorter(node.ModelStageSeconds)
		node.CPUSecondsPerByte /= tenth
	}}
}

func shorter(seconds []float64) []float64 {
	out := slices.Clone(seconds)
	for s := range out {
		out[s] /= tenth
	}
	return out
}

func shorterRanges(ranges []Range) []Range {
	out := slices.Clone(ranges)
	for k := range out {
		out[k].Seconds /= tenth
	}
	return out
}

// memory looks for the smallest step of memory on a node that makes the bottleneck
// smaller. Only what some stage misses can be one.
func (x *explaining) memory(v int) func(work int64) *Gain {
	with := func(bytes int64) change { return moreMemory(bytes, x.p.nodeName(v), v) }
	return func(work int64) *Gain {
		steps := x.steps(v)
		if len(steps) == 0 {
			return nil
		}
		high := len(steps) - 1
		s := x.solve(x.p.with(with(steps[high])), work)
		if s == nil {
			return nil
		}
		for low := -1; low+1 < high && x.left > 0; {
			mid := low + (high-low)/2
			if better := x.solve(x.p.with(with(steps[mid])), work); better != nil {
				high, s = mid, better
			} else {
				low = mid
			}
		}
		g := x.gain(nodeResource(v), with(steps[high]), s)
		g.Bytes = steps[high]
		return g
	}
}

// mostSteps bounds how many steps of memory are told apart.
const mostSteps = 1 << 16

// steps are the amounts by which stages miss the memory of a node, ascending. Of
// very many only every k-th stays.
func (x *explaining) steps(v int) []int64 {
	needs, room := newNeeds(x.p), x.p.room(v)
	var out []int64
	for i := range len(needs.cuts) - 1 {
		for j, need := range needs.row(i) {
			if j > i && need > room {
				out = append(out, need-room)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if every := len(out)/mostSteps + 1; every > 1 {
		var kept []int64
		for k := every - 1; k < len(out); k += every {
			kept = append(kept, out[k])
		}
		out = append(kept, out[len(out)-1])
	}
	return out
}
