package plan

import (
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/solver"
)

// Where the figures of a prediction come from, beside config.Declared and
// config.Measured.
const (
	// Interpolated: other ranges of the model were measured there, or on other nodes.
	Interpolated config.Origin = "interpolated"
	// Assumed: from what other models do, or from what is usual.
	Assumed config.Origin = "assumed"
)

// computeOrigin says where the time of a stage comes from, and how far it may be off: half
// of a 95 % interval as a share, 0 where nobody knows.
func (b *builder) computeOrigin(node *config.Node, p *placed, stage solver.Placed) (config.Origin, float64) {
	known := b.profilesOf(node, p.model)
	if m := known.ranges[[2]int{stage.FirstSegment, stage.LastSegment}]; m != nil {
		return config.Measured, m.Spread
	}
	switch {
	case known.times != nil && known.times.Covers(stage.FirstSegment, stage.LastSegment):
		return Interpolated, known.times.Spread
	case node.ComputeOrigin == config.Measured:
		return Assumed, 0
	}
	return config.Declared, 0
}

// deviationOf is how much single runs of a stage differ, as a standard deviation in shares of
// their mean: as measured, else the middle one of the ranges of the model that were measured
// there, and 0 where there is none.
func (b *builder) deviationOf(node *config.Node, p *placed, stage solver.Placed) float64 {
	known := b.profilesOf(node, p.model)
	if m := known.ranges[[2]int{stage.FirstSegment, stage.LastSegment}]; m != nil && m.Deviation > 0 {
		return m.Deviation
	}
	var all []float64
	for _, m := range known.ranges {
		if m.Deviation > 0 {
			all = append(all, m.Deviation)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// memoryOrigin says where the memory of a stage comes from.
func (b *builder) memoryOrigin(node *config.Node, p *placed) config.Origin {
	measured := b.memoryOf(p.model).measured
	switch {
	case measured[node.Address] || measured[node.ProfileOf]:
		return config.Measured
	case len(measured) > 0:
		return Interpolated
	}
	return Assumed
}

// reach is the throughput of a placement between two ends.
type reach struct{ low, high float64 }

// reachOf is the throughput of a placed model where all that was measured is at the slow,
// and at the fast end of its 95 % interval; the two are equal where nothing has one.
func (b *builder) reachOf(p *placed) reach {
	return reach{b.throughputAt(p, 1), b.throughputAt(p, -1)}
}

// throughputAt evaluates the placement with every time made longer by sign spreads. It is
// the throughput itself where that cannot be evaluated.
func (b *builder) throughputAt(p *placed, sign float64) float64 {
	expected := 1 / p.solution.Cost.BottleneckSeconds
	if p.together == nil {
		q := b.stretched(p.problem, sign)
		b.stretchNodes(q, p, 0, sign)
		cost, err := solver.Evaluate(q, p.solution.Stages)
		if err != nil {
			return expected
		}
		return 1 / cost.BottleneckSeconds
	}
	q := b.stretched(p.together.problem, sign)
	own := 0
	for k, model := range b.in.Config.Models {
		other := &placed{model: model, solution: &solver.Solution{Stages: p.together.solution.Placements[k]}}
		b.stretchNodes(q, other, k, sign)
		if model == p.model {
			own = k
		}
	}
	cost, err := solver.EvaluateModels(q, p.together.solution.Placements)
	if err != nil {
		return expected
	}
	return cost.Models[own].Throughput
}

// stretched is a problem whose measured links take longer by sign spreads.
func (b *builder) stretched(p *solver.Problem, sign float64) *solver.Problem {
	q := *p
	q.Nodes, q.Bandwidth = slices.Clone(p.Nodes), nil
	for u, row := range p.Bandwidth {
		q.Bandwidth = append(q.Bandwidth, slices.Clone(row))
		for v := range row {
			c := b.network.connections[pair{p.Nodes[u].Name, p.Nodes[v].Name}]
			q.Bandwidth[u][v] /= stretch(c.spread, sign)
		}
	}
	return &q
}

// stretchNodes makes the stages of model k take longer by sign spreads.
func (b *builder) stretchNodes(q *solver.Problem, p *placed, k int, sign float64) {
	for _, stage := range p.solution.Stages {
		node := &q.Nodes[stage.Node]
		_, spread := b.computeOrigin(b.nodes[node.Name], p, stage)
		by := stretch(spread, sign)
		if node.ModelSeconds == nil {
			node.SegmentSeconds, node.RangeSeconds, node.StageSeconds = longer(node.SegmentSeconds, by), longerRanges(node.RangeSeconds, by), node.StageSeconds*by
			continue
		}
		node.ModelSeconds, node.ModelRanges, node.ModelStageSeconds = slices.Clone(node.ModelSeconds), slices.Clone(node.ModelRanges), slices.Clone(node.ModelStageSeconds)
		node.ModelSeconds[k], node.ModelRanges[k] = longer(node.ModelSeconds[k], by), longerRanges(node.ModelRanges[k], by)
		node.ModelStageSeconds[k] *= by
	}
}

// leastStretch keeps a time above nothing, however wide its interval is.
const leastStretch = 0.1

func stretch(spread, sign float64) float64 { return max(leastStretch, 1+sign*spread) }

func longer(seconds []float64, by float64) []float64 {
	out := slices.Clone(seconds)
	for i := range out {
		out[i] *= by
	}
	return out
}

func longerRanges(ranges []solver.Range, by float64) []solver.Range {
	out := slices.Clone(ranges)
	for i := range out {
		out[i].Seconds *= by
	}
	return out
}
