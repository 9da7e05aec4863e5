package main

import (
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/plan"
)

// timing is one range of a model to be timed on a node.
type timing struct {
	node  string
	model *config.Model
	segmentRange
}

// toTime are the ranges that are to be timed, by node, of those that tell most.
func (p *probing) toTime() map[string][]timing {
	found := map[string][]timing{}
	for _, node := range sortedKeys(p.nodes) {
		for _, model := range p.config.Models {
			chain := p.chains[model.Name]
			if chain == nil || !p.timed(node) {
				continue
			}
			for _, r := range rangesToMeasure(chain, model.Optimization) {
				if t := (timing{node, model, r}); !p.freshTiming(t) {
					found[node] = append(found[node], t)
				}
			}
		}
	}
	return found
}

// timed says whether ranges are timed on a node: one of each kind, with an engine.
func (p *probing) timed(node string) bool {
	_, engine := p.engine(node)
	return engine && p.scope.kind(kindProfiles) && p.scope.node(node) && p.kindOf(node) == node
}

// freshTiming says whether a range need not be timed: it was a short time ago, or in this run.
func (p *probing) freshTiming(t timing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.known(t)
	if m == nil || m.Passes < leastPasses || !p.fresh(m.MeasuredAt) && !slices.Contains(p.results.Profiles, *m) {
		return false
	}
	return m.ServingCPUSeconds > 0 || !p.servable(t)
}

// servable says whether a range is also to be run by a real worker, for which there is memory
// by what is known of the node.
func (p *probing) servable(t timing) bool {
	at := slices.IndexFunc(p.measured.Nodes, func(n measurement.Node) bool { return n.Node == t.node })
	if at < 0 || !p.served(t) {
		return false
	}
	known := p.measured.Nodes[at]
	free := known.MemoryBytes
	if n := p.nodes[t.node]; n.MemoryOrigin == config.Declared {
		free = min(free, n.Memory)
	}
	need := rangeMemory(p.chains[t.model.Name], t.segmentRange, t.model.Optimization) + 3*known.EngineBaseBytes
	return float64(need) <= memoryShare*float64(free)
}

// served says whether a range is one of those that a real worker runs as well.
func (p *probing) served(t timing) bool {
	return plan.Threads(t.model) == 1 && slices.Contains(rangesToServe(p.chains[t.model.Name], t.model.Optimization), t.segmentRange)
}

// profileOf is the profile of a range, of which nothing is measured yet.
func (p *probing) profileOf(t timing) measurement.Profile {
	return measurement.Profile{Node: t.node, Model: t.model.Name, Digest: p.chains[t.model.Name].Digest,
		Dimensions: measurement.BoundDimensions(t.model.Dimensions), Optimization: t.model.Optimization, Threads: plan.Threads(t.model), FirstSegment: t.first, LastSegment: t.last}
}
