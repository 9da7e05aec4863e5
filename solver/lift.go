package solver

import (
	"fmt"
	"math"
	"slices"
)

// variant is the problem with some limits lifted.
func (r *run) variant(change func(*Problem)) *model {
	p := *r.p
	change(&p)
	return newModel(&p)
}

func noLinks(p *Problem) {
	p.Gateway, p.Shared, p.Latency = nil, nil, nil
	p.Bandwidth = make([][]float64, len(p.Nodes))
	for u := range p.Bandwidth {
		p.Bandwidth[u] = slices.Repeat([]float64{1e18}, len(p.Nodes))
	}
}

// tooMany compares the stages that memory alone asks for with what there is.
func (r *run) tooMany() string {
	m := r.variant(func(p *Problem) { noLinks(p); p.Pinned, p.MaxStages = nil, 0 })
	least := newTable(m, never).relax(countWeights()).first()[0]
	switch nodes := len(r.p.usableNodes()); {
	case least >= never || least <= int64(r.m.stages):
		return ""
	case r.p.MaxStages > 0 && r.p.MaxStages < nodes:
		return fmt.Sprintf("at least %d stages are needed to fit the memory of the nodes; max_stages allows %d", least, r.p.MaxStages)
	default:
		return fmt.Sprintf("at least %d stages are needed to fit the memory of the nodes; %d nodes are available", least, nodes)
	}
}

// unlinked says that links are missing, when lifting them is enough.
func (r *run) unlinked() string {
	if !r.variant(noLinks).possible(r.b) {
		return ""
	}
	inside := r.variant(func(p *Problem) { p.Gateway = nil })
	if r.p.Gateway != nil && inside.possible(r.b) {
		return fmt.Sprintf("no path with links leads from the gateway, %s, through the stages and back to it", r.p.nodeName(*r.p.Gateway))
	}
	k := 1
	for k < r.m.stages && !r.variant(func(p *Problem) { noLinks(p); p.MaxStages = k }).possible(r.b) {
		k++
	}
	if k == r.m.stages {
		return fmt.Sprintf("no path of %d nodes with links holds the stages", k)
	}
	return fmt.Sprintf("no path of %d to %d nodes with links holds the stages; without regard to links %d are enough", k, r.m.stages, k)
}

// stagesTooFew says that more stages would do.
func (r *run) stagesTooFew() string {
	if r.p.MaxStages == 0 || !r.variant(func(p *Problem) { p.MaxStages = 0 }).possible(r.b) {
		return ""
	}
	return fmt.Sprintf("max_stages allows %d stages, and no placement has so few; with more there is one", r.p.MaxStages)
}

func (r *run) pinsTooTight() string {
	if len(r.p.Pinned) == 0 || !r.variant(func(p *Problem) { p.Pinned = nil }).possible(r.b) {
		return ""
	}
	return fmt.Sprintf("the %d pins cannot be kept within the memory, links and stages of the nodes; without them a placement exists", len(r.p.Pinned))
}

// possible says whether any placement exists; where that cannot be decided
// exactly, whether the relaxation has one.
func (m *model) possible(b *budget) bool {
	t, u := newTable(m, never), m.uses()
	if m.cells(u) == 0 {
		return t.holds()
	}
	f := reach{t, u, newGrid(u.states, len(m.classes), m.end+1)}
	way, _ := f.solve(b)
	return way != nil
}

// shortOfMemory says how much more memory each node would need.
func (r *run) shortOfMemory() string {
	sum := int64(0)
	for _, v := range r.p.usableNodes() {
		sum += r.p.Nodes[v].MemoryBytes - r.p.Nodes[v].BaseBytes
	}
	why := fmt.Sprintf("no placement fits: the segments need %s in all, without activations and buffers, and the nodes allow %s",
		mebibytes(r.m.weight[r.m.end]), mebibytes(sum))
	if more := r.missing(); more > 0 {
		why += fmt.Sprintf("; about %s more on each node would be enough", mebibytes(more))
	}
	return why
}

// missing bisects how much more memory on each node makes a placement possible,
// to about a thousandth; 0 when no memory helps or it is not found.
func (r *run) missing() int64 {
	fits := func(more int64) bool {
		return r.variant(func(p *Problem) {
			p.Nodes = slices.Clone(p.Nodes)
			for v := range p.Nodes {
				p.Nodes[v].MemoryBytes = min(p.Nodes[v].MemoryBytes, math.MaxInt64-more) + more
			}
		}).possible(r.b)
	}
	low, high := int64(0), r.m.need(0, r.m.end)
	for i := range r.m.end {
		high = max(high, r.m.need(i, r.m.end))
	}
	if !fits(high) {
		return 0
	}
	for range 12 {
		if mid := low + (high-low)/2; fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}
