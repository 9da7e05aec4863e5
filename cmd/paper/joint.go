package main

import (
	"slices"

	"github.com/edgeplan/edgeplan/internal/paper"
	"github.com/edgeplan/edgeplan/solver"
)

// joint is the problem of choosing cuts and nodes together at the paper's own terms:
// single-tensor cuts at the candidate points, its transfer sizes, its rule of what
// fits, and nothing else. A segment of the solver is one candidate point, and a byte
// is one value that is sent.
func joint(c *paper.Chain, net paper.Network, capacity int64) *solver.Problem {
	p := transfers(c, net)
	weights, limit := c.UnitWeights(capacity)
	p.SegmentBytes = weights
	limitMemory(p, limit)
	return p
}

// jointTrue is the same with the memory that a node needs in fact: 4 bytes for every
// parameter of every layer and the largest set of outputs alive at once.
func jointTrue(c *paper.Chain, net paper.Network, capacity int64) *solver.Problem {
	p := transfers(c, net)
	p.SegmentBytes, p.ActivationBytes = c.Weights, c.Live
	limitMemory(p, capacity)
	return p
}

func limitMemory(p *solver.Problem, limit int64) {
	for v := range p.Nodes {
		p.Nodes[v].MemoryBytes = limit
	}
}

func transfers(c *paper.Chain, net paper.Network) *solver.Problem {
	p := &solver.Problem{Name: c.Model, CutBytes: append([]int64{0}, c.Elements...)}
	for _, row := range net {
		rates := make([]float64, len(row))
		for v, mbps := range row {
			rates[v] = mbps / paper.MbitOfElement
		}
		p.Bandwidth = append(p.Bandwidth, rates)
		p.Nodes = append(p.Nodes, solver.Node{SegmentSeconds: make([]float64, len(c.Points))})
	}
	return p
}

// given is the problem of choosing nodes for cuts that are made: no part needs memory,
// and the chain can and must be cut where they are.
func given(c *paper.Chain, net paper.Network, cuts []int) *solver.Problem {
	p := transfers(c, net)
	p.SegmentBytes = make([]int64, len(c.Points))
	first := 0
	for _, cut := range append(slices.Clone(cuts), len(c.Points)-1) {
		p.AllowedCuts = append(p.AllowedCuts, cut+1)
		p.SegmentBytes[first] = 1
		first = cut + 1
	}
	p.AllowedCuts = p.AllowedCuts[:len(cuts)]
	limitMemory(p, 1)
	return p
}

// cutsOf are the points at which the stages of a placement end, but for the last.
func cutsOf(stages []solver.Placed) (cuts []int) {
	for k := 1; k < len(stages); k++ {
		cuts = append(cuts, stages[k].FirstSegment-1)
	}
	return cuts
}
