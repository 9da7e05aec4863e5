package deployer

import (
	"context"
	"errors"
	"slices"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// cleanAll removes what is no longer needed from the devices of this run, and
// records models and nodes that are gone. Devices of a deployment that failed
// keep all they have: the next run goes on from there.
func (a *applying) cleanAll(ctx context.Context) error {
	if ctx.Err() != nil {
		return interruptedBy(ctx, notCleaned)
	}
	dropped := a.dropModels()
	kept := a.keptNodes()
	nodes := slices.DeleteFunc(a.present(sortedKeys(a.devices)), func(node string) bool { return kept[node] })
	err := each(nodes, a.o.Devices, func(node string) error {
		return a.devices[node].failed(a.cleanNode(ctx, node))
	})
	if err != nil && ctx.Err() != nil {
		err = errors.Join(interruptedBy(ctx, notCleaned), remaining(ctx, err))
	}
	return errors.Join(dropped, err)
}

const notCleaned = "what is no longer needed on the devices was not removed; the next apply does that"

// keptNodes carry a part of a deployment that failed.
func (a *applying) keptNodes() map[string]bool {
	kept := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if !a.failed[d.Model] {
			continue
		}
		for _, m := range []*statefile.Model{d.From, d.To} {
			if m == nil {
				continue
			}
			for _, node := range plan.ReleaseNodes(m) {
				kept[node] = true
			}
		}
	}
	return kept
}

// dropModels records removed models as gone once their workers are stopped. Their
// nodes stay in the state until each has been cleaned, whenever it can be reached.
func (a *applying) dropModels() error {
	var gone []string
	for _, d := range a.plan.Deployments {
		if d.To == nil && d.From != nil && !a.failed[d.Model] && len(a.present(plan.ReleaseNodes(d.From))) > 0 {
			gone = append(gone, d.Model)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return a.record(func(s *statefile.State) {
		for _, model := range gone {
			delete(s.Models, model)
			delete(s.Earlier, model)
		}
	})
}

// cleanNode removes from one device what the state no longer has there, and
// drops the node from the state when nothing is left.
func (a *applying) cleanNode(ctx context.Context, node string) error {
	carried := a.carried(node)
	if err := a.sites[node].prune(ctx, carried); err != nil {
		return err
	}
	if len(carried) > 0 || !a.knows(node) {
		return nil
	}
	return a.record(func(s *statefile.State) { delete(s.Nodes, node) })
}

// knows says whether the state has a node.
func (a *applying) knows(node string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known := a.state.Nodes[node]
	return known
}

// carried are the releases to keep on a node, by deployment folder: the deployed
// one, and earlier ones for going back to.
func (a *applying) carried(node string) map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	carried := map[string][]string{}
	for name, m := range a.state.Models {
		folder := DeploymentName(name, a.plan.Prior.Lineage)
		for _, release := range append([]statefile.Model{m}, a.state.Earlier[name]...) {
			if !a.removes(name) && slices.Contains(plan.ReleaseNodes(&release), node) {
				carried[folder] = append(carried[folder], release.Release)
			}
		}
	}
	return carried
}

// removes says whether the plan removes a model.
func (a *applying) removes(model string) bool {
	return slices.ContainsFunc(a.plan.Deployments, func(d plan.Deployment) bool { return d.Model == model && d.To == nil })
}
