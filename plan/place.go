package plan

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// placed is a model with the placement chosen for it.
type placed struct {
	model    *config.Model
	chain    *onnx.Chain
	problem  *solver.Problem
	solution *solver.Solution
	offer    *Offer
	together *together // nil for a model that has the cluster to itself
}

// checkNodes finds nodes that no stage can run on, and nodes whose folder moved
// while they carry a release.
func (b *builder) checkNodes() hcl.Diagnostics {
	diags := b.network.unconnected(b.in.Config)
	for _, node := range b.cluster() {
		arch := b.in.architecture(node)
		if !b.runsStages(node) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagWarning,
				Summary:  "Node runs no stage",
				Detail:   fmt.Sprintf("%s is %s, and there is no ONNX Runtime for it. It can be a gateway, but no slice is placed on it.", node.Address, arch),
				Subject:  node.Range.Ptr(),
			})
		}
		prior, ok := b.in.Prior.Nodes[node.Address]
		if ok && prior.Path != node.Path {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Folder of a node in use changed",
				Detail: fmt.Sprintf("%s carries files in %q and the configuration now says %q. Set path back to %q, or run `edgeplan destroy` first.",
					node.Address, prior.Path, node.Path, prior.Path),
				Subject: node.Range.Ptr(),
			})
		}
	}
	return diags
}

// runsStages says whether there is an engine for a node.
func (b *builder) runsStages(node *config.Node) bool {
	_, engine := b.in.Engines[b.in.architecture(node)]
	return engine
}

// place chooses the cuts and nodes of a model that has the cluster to itself.
func (b *builder) place(ctx context.Context, model *config.Model) (*placed, hcl.Diagnostics) {
	result, err := b.solve(ctx, model)
	if err != nil {
		return nil, hcl.Diagnostics{modelError(model, "Placement cannot be computed", err.Error())}
	}
	if diags := b.checkSolution(result); diags.HasErrors() {
		return nil, diags
	}
	b.keepDeployed(result)
	return result, append(b.checkRequired(result), b.checkGateway(result)...)
}

// excluded are nodes without an engine, and those of models that are left alone.
func (b *builder) excluded() map[string]bool {
	excluded := map[string]bool{}
	if !b.sharing {
		excluded = b.keptNodes()
	}
	for _, node := range b.cluster() {
		if !b.runsStages(node) {
			excluded[node.Address] = true
		}
	}
	return excluded
}

func (b *builder) solve(ctx context.Context, model *config.Model) (*placed, error) {
	problem := b.problemOf(model, b.excluded())
	solution, err := solver.Solve(ctx, problem, solver.Options{
		Algorithm: solver.Algorithm(model.Solver.Algorithm),
		TimeLimit: model.Solver.TimeLimit,
	})
	if err != nil {
		return nil, err
	}
	if err := verify(problem, solution); err != nil {
		return nil, err
	}
	return &placed{model: model, chain: b.in.Chains[model.Name], problem: problem, solution: solution}, nil
}

// verify checks an answer of the solver without trusting how it was found.
func verify(p *solver.Problem, s *solver.Solution) error {
	if err := solver.Verify(p, s); err != nil {
		return fmt.Errorf("the answer of the solver does not verify, which is a fault of edgeplan: %w", err)
	}
	return nil
}

func (b *builder) checkSolution(p *placed) hcl.Diagnostics {
	switch p.solution.Status {
	case solver.Infeasible:
		detail := whyInfeasible(p.solution) + "." + b.whereNodes(p)
		return hcl.Diagnostics{modelError(p.model, "Model does not fit the cluster", detail)}
	case solver.Unknown:
		detail := fmt.Sprintf("no placement was found and none was proven impossible: %s. Give the solver block a longer time_limit.", p.solution.Reason)
		return hcl.Diagnostics{modelError(p.model, "No placement found in time", detail)}
	}
	return nil
}

// whyInfeasible is the solver's reason without what is not the user's to change:
// which nodes are left for a model, and how many.
func whyInfeasible(s *solver.Solution) string {
	if s.Conflict == nil {
		return s.Reason
	}
	return s.Conflict.Without(solver.StagesChange, solver.ExcludedChange).String()
}

// whereNodes tells where the nodes that a limit is about are configured.
func (b *builder) whereNodes(p *placed) string {
	conflict := p.solution.Conflict
	if conflict == nil || len(conflict.Nodes) > mostPlaces {
		return ""
	}
	text := ""
	for _, v := range conflict.Nodes {
		if node := b.nodes[p.problem.Nodes[v].Name]; node != nil {
			text += fmt.Sprintf(" %s is at %s line %d.", node.Address, node.Range.Filename, node.Range.Start.Line)
		}
	}
	return text
}

// mostPlaces bounds how many places one message names.
const mostPlaces = 3

// keepDeployed lets the deployed placement stand unless the new one saves more
// than the threshold, or is what the required throughput needs; the better one
// becomes an offer.
func (b *builder) keepDeployed(p *placed) {
	start := p.problem.Start
	if start == nil || slices.Equal(start, p.solution.Stages) {
		return
	}
	deployed, err := solver.Evaluate(p.problem, start)
	if err != nil {
		return // it no longer fits
	}
	gain := 1 - p.solution.Cost.BottleneckSeconds/deployed.BottleneckSeconds
	needed := misses(p.model, deployed) && !misses(p.model, p.solution.Cost)
	if b.in.Replan || needed || gain > b.in.Config.Settings.ReplanThreshold {
		return
	}
	p.offer = &Offer{ThroughputPerSecond: 1 / p.solution.Cost.BottleneckSeconds, Gain: gain}
	kept := *p.solution
	kept.Stages, kept.Cost, kept.Status = start, deployed, solver.Feasible
	p.solution = &kept
}

// missesThroughput says whether a placement falls short of the required throughput.
func missesThroughput(model *config.Model, cost *solver.Cost) bool {
	return model.RequireThroughput > 0 && 1/cost.BottleneckSeconds < model.RequireThroughput
}

func (b *builder) checkThroughput(p *placed) hcl.Diagnostics {
	cost := p.solution.Cost
	if !missesThroughput(p.model, cost) {
		return nil
	}
	gives := quantity.FormatNumber(1/cost.BottleneckSeconds) + " at most"
	if p.solution.Status != solver.Optimal {
		gives = fmt.Sprintf("%s by the placement found, and %s at the very most",
			quantity.FormatNumber(1/cost.BottleneckSeconds), quantity.FormatNumber(1/p.solution.LowerBoundSeconds))
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Required throughput cannot be met",
		Detail: inUsersWords(p.model, fmt.Sprintf("%s requires %s inferences per second, and this cluster gives %s. The bottleneck is %s with %s per inference: require less, or add what it lacks.",
			p.model.Address, quantity.FormatNumber(p.model.RequireThroughput), gives,
			b.resourceName(p.problem, cost.Bottleneck), quantity.FormatSeconds(cost.BottleneckSeconds))),
		Subject: p.model.RequireRange.Ptr(),
	}}
}

// checkGateway makes sure that a gateway without a stage has room for its buffers.
func (b *builder) checkGateway(p *placed) hcl.Diagnostics {
	gateway := b.nodes[p.model.Gateway]
	for _, stage := range p.solution.Stages {
		if p.problem.Nodes[stage.Node].Name == gateway.Address {
			return nil // counted with the stage
		}
	}
	needs := GatewayBaseBytes + b.gatewayBytes(gateway.Address, p.model)
	if needs <= gateway.Memory {
		return nil
	}
	return hcl.Diagnostics{modelError(p.model, "Gateway has too little memory", fmt.Sprintf(
		"the gateway %s needs %s for its worker and the buffers of requests and answers, and allows %s. Give it more memory, or name another gateway.",
		gateway.Address, quantity.FormatBytes(needs), quantity.FormatBytes(gateway.Memory)))}
}

// resourceName names a busy resource as the configuration does.
func (b *builder) resourceName(p *solver.Problem, r solver.Resource) string {
	switch r.Kind {
	case solver.NetworkResource:
		return p.Shared[r.From].Name
	case solver.LinkResource:
		from, to := p.Nodes[r.From].Name, p.Nodes[r.To].Name
		return fmt.Sprintf("%s, %s -> %s", b.network.connections[pair{from, to}].via, from, to)
	}
	return p.Nodes[r.From].Name
}
