package solver

import (
	"fmt"
	"math"
	"slices"
)

// ChangeKind is what kind of thing a change eases.
type ChangeKind string

// The kinds of change.
const (
	MemoryChange    ChangeKind = "memory"         // more on a node, or on every node
	NodeChange      ChangeKind = "node"           // more nodes like one that is there
	LinkChange      ChangeKind = "link"           // that is missing
	PinChange       ChangeKind = "pin"            // one less
	StagesChange    ChangeKind = "max_stages"     // more
	ExcludedChange  ChangeKind = "excluded_nodes" // one less
	CutChange       ChangeKind = "allowed_cuts"   // one more
	BandwidthChange ChangeKind = "bandwidth"      // 10 % more on a link, shared network or interface
	ComputeChange   ChangeKind = "compute"        // 10 % more on a node
	PlacementChange ChangeKind = "placement"      // nothing but another placement
)

// change is something done to a problem that eases it, and what messages call it.
type change struct {
	kind  ChangeKind
	text  string
	apply func(*Problem) // of a copy whose lists are still those of the original
}

// with is a copy of the problem after some changes.
func (p *Problem) with(changes ...change) *Problem {
	q := *p
	for _, c := range changes {
		c.apply(&q)
	}
	return &q
}

// moreMemory adds bytes to some nodes.
func moreMemory(bytes int64, text string, nodes ...int) change {
	return change{MemoryChange, atLeast(bytes) + " more memory on " + text, func(p *Problem) {
		p.Nodes = slices.Clone(p.Nodes)
		for _, v := range nodes {
			p.Nodes[v].MemoryBytes = min(p.Nodes[v].MemoryBytes, math.MaxInt64-bytes) + bytes
		}
	}}
}

// moreNodes adds nodes like one that is there: as fast, as large, with the same
// links, also in shared networks. The like nodes are linked with each other as the
// first is linked best.
func (p *Problem) moreNodes(count, like int) change {
	text := fmt.Sprintf("%s more like %s", nodes(count), p.nodeName(like))
	return change{NodeChange, text, func(p *Problem) {
		for range count {
			p.addNode(like)
		}
	}}
}

// nodes counts nodes.
func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

func (p *Problem) addNode(like int) {
	node := p.Nodes[like]
	node.Name = "another " + p.nodeName(like)
	best, linked := p.bestLink(like)
	between := func(rows [][]float64) float64 {
		if !linked {
			return 0
		}
		return rows[best[0]][best[1]]
	}
	p.Nodes = append(slices.Clip(p.Nodes), node)
	p.Bandwidth = grown(p.Bandwidth, like, between(p.Bandwidth))
	if p.Latency != nil {
		p.Latency = grown(p.Latency, like, between(p.Latency))
	}
	if p.HeldBytes != nil {
		p.HeldBytes = append(slices.Clip(p.HeldBytes), nil)
	}
	p.Models = slices.Clone(p.Models)
	for k := range p.Models {
		p.Models[k].addNode(like)
	}
	p.Shared = slices.Clone(p.Shared)
	for k, shared := range p.Shared {
		p.Shared[k].Pairs = grownPairs(shared.Pairs, like, len(p.Nodes)-1, best)
	}
}

func (m *Model) addNode(like int) {
	if m.HeldBytes != nil {
		m.HeldBytes = append(slices.Clip(m.HeldBytes), nil)
	}
	if like < len(m.NodeBaseBytes) {
		m.NodeBaseBytes = append(slices.Clip(m.NodeBaseBytes), m.NodeBaseBytes[like])
	}
}

// bestLink is the fastest link from a node or to it, if there is one.
func (p *Problem) bestLink(node int) (best [2]int, linked bool) {
	rate := 0.0
	for v := range p.Nodes {
		for _, pair := range [][2]int{{node, v}, {v, node}} {
			if b := p.Bandwidth[pair[0]][pair[1]]; v != node && b > rate {
				best, rate = pair, b
			}
		}
	}
	return best, rate > 0
}

// grown adds a row and a column that repeat those of a node.
func grown(rows [][]float64, like int, between float64) [][]float64 {
	out := make([][]float64, 0, len(rows)+1)
	for _, row := range rows {
		out = append(out, append(slices.Clip(row), row[like]))
	}
	last := append(slices.Clip(rows[like]), 0)
	last[like] = between
	out[like][len(rows)] = between
	return append(out, last)
}

// grownPairs puts the pairs of a new node wherever the like one has some.
func grownPairs(pairs [][2]int, like, node int, best [2]int) [][2]int {
	out := slices.Clone(pairs)
	for _, pair := range pairs {
		if pair[0] == like {
			out = append(out, [2]int{node, pair[1]})
		}
		if pair[1] == like {
			out = append(out, [2]int{pair[0], node})
		}
	}
	if slices.Contains(pairs, best) {
		out = append(out, [2]int{like, node}, [2]int{node, like})
	}
	return out
}

// newLink connects some pairs that are not, as fast as anything is.
func newLink(text string, pairs ...[2]int) change {
	return change{LinkChange, text, func(p *Problem) {
		fastest := 1.0
		for u, row := range p.Bandwidth {
			for v, b := range row {
				if u != v {
					fastest = max(fastest, b)
				}
			}
		}
		p.Bandwidth = slices.Clone(p.Bandwidth)
		for _, pair := range pairs {
			row := slices.Clone(p.Bandwidth[pair[0]])
			row[pair[1]] = max(row[pair[1]], fastest)
			p.Bandwidth[pair[0]] = row
		}
	}}
}

// unpinned lifts every pin of a segment to a node.
func (p *Problem) unpinned(pin Pin) change {
	text := fmt.Sprintf("no pin of %s to %s", p.segmentName(pin.Segment), p.nodeName(pin.Node))
	return change{PinChange, text, func(p *Problem) {
		p.Pinned = slices.DeleteFunc(slices.Clone(p.Pinned), func(other Pin) bool { return other == pin })
	}}
}

func maxStages(n int) change {
	return change{StagesChange, fmt.Sprintf("a max_stages of %d", n), func(p *Problem) { p.MaxStages = n }}
}

// included takes a node out of the excluded ones.
func (p *Problem) included(node int) change {
	return change{ExcludedChange, fmt.Sprintf("using %s, which is excluded now", p.nodeName(node)), func(p *Problem) {
		p.ExcludedNodes = slices.DeleteFunc(slices.Clone(p.ExcludedNodes), func(v int) bool { return v == node })
	}}
}

// cutAllowed allows a cut before a segment.
func (p *Problem) cutAllowed(position int) change {
	text := fmt.Sprintf("a cut allowed at position %d, before %s", position, p.segmentName(position))
	return change{CutChange, text, func(p *Problem) { p.AllowedCuts = append(slices.Clip(p.AllowedCuts), position) }}
}
