package plan

import (
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
)

// switchOf is how a deployment replaces what is deployed: beside it, unless the
// memory of some node does not hold it together with what runs there.
func (b *builder) switchOf(deployments []Deployment, model string) Switch {
	d, ok := deploymentOf(deployments, model)
	if !ok || d.To == nil {
		return Beside
	}
	if d.repairs() {
		return b.switchInPlace(d)
	}
	for _, node := range ReleaseNodes(d.To) {
		needed := WorkerBytes(d.To, node) + b.othersBytes(d.Model, node)
		if d.From != nil {
			needed += WorkerBytes(d.From, node)
		}
		if needed > b.nodes[node].Memory {
			return StopFirst
		}
	}
	return Beside
}

// switchInPlace is that of a release that is repaired: workers that are started again
// stop first, since their ports are their own.
func (b *builder) switchInPlace(d Deployment) Switch {
	restarts := slices.ContainsFunc(b.in.Drift, func(f Drift) bool { return f.Model == d.Model && f.Restart })
	if restarts || slices.ContainsFunc(b.replace, func(r Replacement) bool { return r.Model == d.Model }) {
		return StopFirst
	}
	return Beside
}

func deploymentOf(deployments []Deployment, model string) (Deployment, bool) {
	i := slices.IndexFunc(deployments, func(d Deployment) bool { return d.Model == model })
	if i < 0 {
		return Deployment{}, false
	}
	return deployments[i], true
}

// othersBytes is what the workers of the other models on a node use at most while a
// model is deployed: each has its old release, or already its new one.
func (b *builder) othersBytes(model, node string) (total int64) {
	names := map[string]bool{}
	for name := range b.in.Prior.Models {
		names[name] = true
	}
	for name := range b.desired.Models {
		names[name] = true
	}
	delete(names, model)
	for name := range names {
		running, next := b.in.Prior.Models[name], b.desired.Models[name]
		total += max(WorkerBytes(&running, node), WorkerBytes(&next, node))
	}
	return total
}

// WorkerBytes is what a model's worker on a node is expected to use.
func WorkerBytes(m *statefile.Model, node string) int64 {
	for _, slice := range m.Slices {
		if slice.Node == node {
			return slice.MemoryBytes
		}
	}
	if m.Gateway == node {
		return GatewayBaseBytes + gatewayHeldBytes(tensor.TotalBytes(m.Inputs)+tensor.TotalBytes(m.Outputs))
	}
	return 0
}
