package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/solver"
)

// Several models are placed by one search, since they share nodes, links and radio:
// all run at once, each as often as it requires, and what a resource is busy adds up
// (solver.EvaluateModels). Below, every model becomes what a single one is: a problem
// and a solution of its own, whose seconds per inference count the others' share.

// together is what several models were placed by.
type together struct {
	problem  *solver.Problem
	solution *solver.Solution
}

// placeModels places all models.
func (b *builder) placeModels(ctx context.Context) ([]*placed, hcl.Diagnostics) {
	if len(b.in.Config.Models) == 1 {
		one, diags := b.place(ctx, b.in.Config.Models[0])
		return []*placed{one}, diags
	}
	if len(b.in.Config.Models) == 0 {
		return nil, nil
	}
	return b.placeTogether(ctx)
}

func (b *builder) placeTogether(ctx context.Context) ([]*placed, hcl.Diagnostics) {
	problem, diags := b.jointProblem()
	if diags.HasErrors() {
		return nil, diags
	}
	options := jointOptions(b.in.Config.Models)
	solution, err := solver.Solve(ctx, problem, options)
	if err != nil {
		return nil, hcl.Diagnostics{b.jointError(err)}
	}
	if diags := b.checkJoint(solution); diags.HasErrors() {
		return nil, diags
	}
	kept, gain := b.keepTogether(ctx, problem, solution, options)
	if err := errors.Join(verify(problem, solution), verify(problem, kept)); err != nil {
		return nil, hcl.Diagnostics{b.jointError(err)}
	}
	var all []*placed
	for k, model := range b.in.Config.Models {
		p := b.placedOf(problem, kept, k, model)
		p.together = &together{problem, kept}
		if gain > 0 {
			p.offer = &Offer{ThroughputPerSecond: solution.Cost.Models[k].Throughput, Gain: gain}
		}
		all = append(all, p)
		diags = append(diags, b.checkRequired(p)...)
	}
	return all, diags
}

// jointOptions are the models' options together: the longest time, and an exact
// search where one asks for it.
func jointOptions(models []*config.Model) solver.Options {
	o := solver.Options{Algorithm: solver.Greedy}
	var limit time.Duration
	for _, m := range models {
		limit = max(limit, m.Solver.TimeLimit)
		switch a := solver.Algorithm(m.Solver.Algorithm); {
		case a == solver.Exact:
			o.Algorithm = a
		case a != solver.Greedy && o.Algorithm == solver.Greedy:
			o.Algorithm = solver.Auto
		}
	}
	o.TimeLimit = limit
	return o
}

// jointProblem is all models on the cluster as the solver sees it.
func (b *builder) jointProblem() (*solver.Problem, hcl.Diagnostics) {
	joint := &solver.Problem{Name: "models"}
	var diags hcl.Diagnostics
	for _, model := range b.in.Config.Models {
		single := b.problemOf(model, b.excluded())
		if joint.Nodes == nil {
			joint.Nodes, joint.Bandwidth, joint.Latency, joint.Shared = slices.Clone(single.Nodes), single.Bandwidth, single.Latency, single.Shared
			for v := range joint.Nodes {
				n := &joint.Nodes[v]
				n.SegmentSeconds, n.RangeSeconds, n.StageSeconds, n.BaseBytes = nil, nil, 0, 0 // each model has its own
			}
		}
		m := solver.Model{
			Name: model.Name, RequiredThroughput: model.RequireThroughput,
			SegmentNames: single.SegmentNames, CutBytes: single.CutBytes, SegmentBytes: single.SegmentBytes,
			ActivationBytes: single.ActivationBytes, InBuffers: single.InBuffers, OutBuffers: single.OutBuffers,
			Gateway: single.Gateway, AllowedCuts: single.AllowedCuts, ExcludedNodes: single.ExcludedNodes,
			Start: single.Start, HeldBytes: single.HeldBytes,
		}
		for v := range joint.Nodes {
			n := &joint.Nodes[v]
			n.ModelSeconds = append(n.ModelSeconds, single.Nodes[v].SegmentSeconds)
			n.ModelRanges = append(n.ModelRanges, single.Nodes[v].RangeSeconds)
			n.ModelStageSeconds = append(n.ModelStageSeconds, single.Nodes[v].StageSeconds)
		}
		joint.Models = append(joint.Models, m)
		diags = append(diags, b.reserveGateway(joint, len(joint.Models)-1, model)...)
	}
	return joint, diags
}

// reserveGateway takes a gateway's worker and buffers from the memory of its node. A
// stage of the same model shares the worker, so its base is less there.
func (b *builder) reserveGateway(joint *solver.Problem, k int, model *config.Model) hcl.Diagnostics {
	m := &joint.Models[k]
	for _, node := range joint.Nodes {
		m.NodeBaseBytes = append(m.NodeBaseBytes, b.workerBaseBytes(b.nodes[node.Name], model))
	}
	if m.Gateway == nil {
		return nil
	}
	node := &joint.Nodes[*m.Gateway]
	m.NodeBaseBytes[*m.Gateway] = max(0, m.NodeBaseBytes[*m.Gateway]-GatewayBaseBytes)
	node.MemoryBytes -= GatewayBaseBytes + gatewayBuffers(b.in.Chains[model.Name])
	if node.MemoryBytes >= 0 {
		return nil
	}
	limit := b.nodes[node.Name].Memory
	return hcl.Diagnostics{modelError(model, "Gateway has too little memory", fmt.Sprintf(
		"the gateway %s needs %s for the workers and the buffers of requests and answers of its models, and allows %s. Give it more memory, or name another gateway.",
		node.Name, quantity.FormatBytes(limit-node.MemoryBytes), quantity.FormatBytes(limit)))}
}

// jointError points at the model that an error names, or at the first.
func (b *builder) jointError(err error) *hcl.Diagnostic {
	model := b.in.Config.Models[0]
	var of *solver.ModelError
	if errors.As(err, &of) {
		model, err = b.in.Config.Models[of.Model], of.Err
	}
	return modelError(model, "Placement cannot be computed", err.Error())
}

func (b *builder) checkJoint(s *solver.Solution) hcl.Diagnostics {
	model := b.in.Config.Models[0]
	if s.Model != nil {
		model = b.in.Config.Models[*s.Model]
	}
	switch s.Status {
	case solver.Infeasible:
		return hcl.Diagnostics{modelError(model, "Models do not fit the cluster", s.Reason+".")}
	case solver.Unknown:
		return hcl.Diagnostics{modelError(model, "No placement found in time", fmt.Sprintf(
			"no placement of all models was found and none was proven impossible: %s. Give the solver block a longer time_limit.", s.Reason))}
	}
	return nil
}

// keepTogether lets what is deployed stand, with the models that are not placed
// around it, unless placing all of them anew saves more than the threshold, or is what
// the required throughput needs. The gain is what that would save, where it is not
// taken.
func (b *builder) keepTogether(ctx context.Context, p *solver.Problem, best *solver.Solution, o solver.Options) (*solver.Solution, float64) {
	fixed := fixedStarts(p)
	if fixed == nil || b.in.Replan {
		return best, 0
	}
	kept, err := solver.Solve(ctx, fixed, o)
	if err != nil || kept.Cost == nil {
		return best, 0 // it no longer fits
	}
	gain := 1 - best.Cost.BottleneckSeconds/kept.Cost.BottleneckSeconds
	needed := b.missesAny(p, kept) && !b.missesAny(p, best)
	if needed || gain > b.in.Config.Settings.ReplanThreshold {
		return best, 0
	}
	kept.LowerBoundSeconds, kept.Reason = min(best.LowerBoundSeconds, kept.Cost.BottleneckSeconds), best.Reason
	kept.Status = solver.Feasible
	if kept.LowerBoundSeconds >= kept.Cost.BottleneckSeconds {
		kept.Status = solver.Optimal
	}
	return kept, max(gain, 0)
}

// missesAny says whether a model falls short of what it requires.
func (b *builder) missesAny(p *solver.Problem, s *solver.Solution) bool {
	for k, model := range b.in.Config.Models {
		if misses(model, b.placedOf(p, s, k, model).solution.Cost) {
			return true
		}
	}
	return false
}

// fixedStarts is the problem with every deployed model held where it is; nil when none
// is deployed.
func fixedStarts(p *solver.Problem) *solver.Problem {
	fixed := *p
	fixed.Models = slices.Clone(p.Models)
	some := false
	for k := range fixed.Models {
		m := &fixed.Models[k]
		if m.Start == nil {
			continue
		}
		some = true
		m.AllowedCuts, m.Pinned = []int{}, nil
		for i, stage := range m.Start {
			if i > 0 {
				m.AllowedCuts = append(m.AllowedCuts, stage.FirstSegment)
			}
			for s := stage.FirstSegment; s <= stage.LastSegment; s++ {
				m.Pinned = append(m.Pinned, solver.Pin{Segment: s, Node: stage.Node})
			}
		}
	}
	if !some {
		return nil
	}
	return &fixed
}

// placedOf is model k as if it had been placed by itself, with the seconds per
// inference that the models reach together.
func (b *builder) placedOf(p *solver.Problem, s *solver.Solution, k int, model *config.Model) *placed {
	alone, required := p.Alone(k), p.RequiredThroughput(k)
	cost := *s.Cost.Models[k].Alone
	cost.Bottleneck = s.Cost.Bottleneck
	cost.Bottleneck.Seconds /= required
	cost.BottleneckSeconds = cost.Bottleneck.Seconds
	cost.Stages = slices.Clone(cost.Stages)
	for i, stage := range s.Placements[k] {
		if alone.Gateway != nil && stage.Node == *alone.Gateway {
			cost.Stages[i].MemoryBytes += GatewayBaseBytes + gatewayBuffers(b.in.Chains[model.Name])
		}
	}
	return &placed{model: model, chain: b.in.Chains[model.Name], problem: alone, solution: &solver.Solution{
		Status: s.Status, Stages: s.Placements[k], Cost: &cost, LowerBoundSeconds: s.LowerBoundSeconds / required,
		Algorithm: s.Algorithm, Reason: s.Reason,
	}}
}
