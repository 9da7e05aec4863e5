package plan

import (
	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// messageCosts are seconds of a processor that a worker takes beside its engine.
type messageCosts struct{ request, byte float64 }

// messageCosts are those of the first of some nodes of which each was measured.
func (b *builder) messageCosts(nodes ...string) messageCosts {
	var c messageCosts
	if m := b.measuredOf(nodes, func(m *measurement.Node) bool { return m.CPUSecondsPerByte > 0 }); m != nil {
		c.byte = m.CPUSecondsPerByte
	}
	if m := b.measuredOf(nodes, func(m *measurement.Node) bool { return m.CPUSecondsPerRequest > 0 }); m != nil {
		c.request = m.CPUSecondsPerRequest
	}
	return c
}

// addMessages gives a node what messages cost there: their bytes, each request, and by how
// much they slow the engine down, which is no more than it takes alone.
func (b *builder) addMessages(n *solver.Node, node *config.Node, model *config.Model, p *profiled) {
	chain, costs := b.in.Chains[model.Name], b.messageCosts(node.Address, node.ProfileOf)
	slower := p.slower(chain, b.messageCosts(p.node))
	for i, r := range n.RangeSeconds {
		n.RangeSeconds[i].Seconds += costs.request + min(slower*bytesAround(chain, r.First, r.Last), r.Seconds)
	}
	n.StageSeconds += costs.request
	n.CPUSecondsPerByte = costs.byte
}

// slower is by how much more a byte slows a stage down whose engine runs meanwhile, in
// seconds, which the ranges say that were timed alone and as a stage, beside what messages cost
// on the node where they were: what all of them took more over all their bytes. The two times
// of a range were taken one after the other on a device whose speed may have moved between, to
// either side; so what one took less counts against what another took more, neither with more
// than the engine takes alone, and only their sum is not less than nothing.
func (p *profiled) slower(chain *onnx.Chain, costs messageCosts) float64 {
	sum, moved := 0.0, 0.0
	for _, m := range p.list {
		bytes := bytesAround(chain, m.FirstSegment, m.LastSegment)
		if m.ServingCPUSeconds > 0 && bytes > 0 {
			more := m.ServingCPUSeconds - m.Seconds - costs.request - costs.byte*bytes
			sum, moved = sum+min(max(-m.Seconds, more), m.Seconds), moved+bytes
		}
	}
	return max(0, sum) / max(1, moved)
}

// bytesAround are those that a stage of a range receives and sends for a request.
func bytesAround(chain *onnx.Chain, first, last int) float64 {
	return float64(chain.Cuts[first].Bytes + chain.Cuts[last+1].Bytes)
}
