package plan

import "github.com/edgeplan/edgeplan/statefile"

// switchOf is how a deployment replaces what is deployed: beside it, unless the
// memory of some node does not hold both releases.
func (b *builder) switchOf(d Deployment) Switch {
	if d.From == nil || d.To == nil {
		return Beside
	}
	if d.From.Release == d.To.Release {
		return StopFirst // the same release, repaired: its ports are its own
	}
	for _, node := range ReleaseNodes(d.To) {
		limit := b.nodes[node].Memory
		if workerBytes(d.From, node)+workerBytes(d.To, node) > limit {
			return StopFirst
		}
	}
	return Beside
}

// workerBytes is what a model's worker on a node is expected to use.
func workerBytes(m *statefile.Model, node string) int64 {
	for _, slice := range m.Slices {
		if slice.Node == node {
			return slice.MemoryBytes
		}
	}
	if m.Gateway == node {
		return GatewayBaseBytes
	}
	return 0
}
