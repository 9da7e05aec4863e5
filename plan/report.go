package plan

import (
	"github.com/edgeplan/edgeplan/statefile"
)

// report is what to print of a planned model.
func (b *builder) report(p *placed, desired *statefile.Model) Model {
	cost := p.solution.Cost
	m := Model{
		Name:                p.model.Name,
		Gateway:             p.model.Gateway,
		Status:              p.solution.Status,
		Algorithm:           p.solution.Algorithm,
		Reason:              p.solution.Reason,
		Gap:                 p.solution.Gap(),
		Bottleneck:          desired.Prediction.Bottleneck,
		BottleneckSeconds:   cost.BottleneckSeconds,
		LowerBoundSeconds:   p.solution.LowerBoundSeconds,
		ThroughputPerSecond: desired.Prediction.ThroughputPerSecond,
		LatencySeconds:      cost.LatencySeconds,
		Offer:               p.offer,
	}
	between := b.reachOf(p)
	m.ThroughputLowPerSecond, m.ThroughputHighPerSecond = between.low, between.high
	for i := range p.solution.Stages {
		m.Stages = append(m.Stages, b.reportStage(p, desired, i))
	}
	for _, transfer := range cost.Transfers {
		from, to := p.problem.Nodes[transfer.From].Name, p.problem.Nodes[transfer.To].Name
		over := b.network.connections[pair{from, to}]
		m.Transfers = append(m.Transfers, Transfer{
			From: from, To: to,
			Via:             over.via,
			Shared:          b.network.isShared(over.via),
			Tensors:         p.chain.Cuts[transfer.Cut].Tensors,
			Bytes:           transfer.Bytes,
			Seconds:         transfer.Seconds,
			LatencySeconds:  transfer.Latency,
			BandwidthOrigin: over.origin,
			LatencyOrigin:   over.latencyOrigin,
			Spread:          over.spread,
		})
	}
	if prior, ok := b.in.Prior.Models[p.model.Name]; ok {
		m.Before = &prior.Prediction
	}
	return m
}

func (b *builder) reportStage(p *placed, desired *statefile.Model, index int) Stage {
	slice := desired.Slices[index]
	stage := Stage{
		Index:       index,
		Node:        slice.Node,
		FirstNode:   slice.FirstNode,
		LastNode:    slice.LastNode,
		Segments:    slice.LastSegment - slice.FirstSegment + 1,
		MemoryBytes: slice.MemoryBytes,
		MemoryLimit: b.nodes[slice.Node].Memory,
		Seconds:     p.solution.Cost.Stages[index].Seconds,
	}
	node := b.nodes[slice.Node]
	stage.ComputeOrigin, stage.Spread = b.computeOrigin(node, p, p.solution.Stages[index])
	stage.Deviation = b.deviationOf(node, p, p.solution.Stages[index])
	stage.MemoryOrigin = b.memoryOrigin(node, p)
	for _, segment := range p.chain.Segments[slice.FirstSegment : slice.LastSegment+1] {
		stage.WeightBytes += segment.WeightBytes
		stage.FLOPs += segment.FLOPs
	}
	return stage
}
