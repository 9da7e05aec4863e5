package plan

import (
	"math"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/profile"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// memoryOf is what stages of a model need beside the base, fitted to the peaks measured
// on all nodes; measured are the nodes that have some.
func (b *builder) memoryOf(model *config.Model) (m profile.Memory, measured map[string]bool) {
	if known, ok := b.memories[model.Name]; ok {
		return known.memory, known.measured
	}
	chain := b.in.Chains[model.Name]
	measured = map[string]bool{}
	var peaks []profile.Peak
	for _, node := range b.in.Config.Nodes {
		for _, p := range b.matching(node.Address, model) {
			if p.PeakMemoryBytes == 0 {
				continue
			}
			measured[node.Address] = true
			weights, activations := rangeBytes(chain, p.FirstSegment, p.LastSegment)
			peaks = append(peaks, profile.Peak{Bytes: float64(p.PeakMemoryBytes), Base: float64(b.baseBytes(node)), Weights: weights, Activations: activations})
		}
	}
	m = profile.FitMemory(peaks, weightFactor(model.Optimization))
	m.Stage += b.servingExcess(model, m)
	b.memories[model.Name] = memoryFit{m, measured}
	return m, measured
}

// servingExcess is by how many bytes workers that really served a range exceeded what a fit
// says with their queues, as heaps of messages and what loading leaves behind do: the mean.
func (b *builder) servingExcess(model *config.Model, fit profile.Memory) float64 {
	chain := b.in.Chains[model.Name]
	sum, n := 0.0, 0
	for _, node := range b.in.Config.Nodes {
		for _, p := range b.matching(node.Address, model) {
			if p.ServingPeakMemoryBytes > 0 {
				weights, activations := rangeBytes(chain, p.FirstSegment, p.LastSegment)
				queues := buffersPerQueue * bytesAround(chain, p.FirstSegment, p.LastSegment)
				said := float64(b.baseBytes(node)) + fit.Bytes(weights, activations) + queues
				sum, n = sum+max(0, float64(p.ServingPeakMemoryBytes)-said), n+1
			}
		}
	}
	return sum / max(1, float64(n))
}

// memoryFit is what memoryOf has found.
type memoryFit struct {
	memory   profile.Memory
	measured map[string]bool
}

// rangeBytes are the weights of a range, and the largest activations alive at once.
func rangeBytes(chain *onnx.Chain, first, last int) (weights, activations float64) {
	for _, s := range chain.Segments[first : last+1] {
		weights += float64(s.WeightBytes)
		activations = max(activations, float64(s.ActivationBytes))
	}
	return weights, activations
}

// addMemory gives the problem what the peaks say that stages need, where there are some.
func (b *builder) addMemory(p *solver.Problem, model *config.Model, chain *onnx.Chain) {
	memory, measured := b.memoryOf(model)
	if len(measured) == 0 {
		return
	}
	for i, s := range chain.Segments {
		p.SegmentBytes[i] = scaledBytes(s.WeightBytes, memory.WeightFactor)
		p.ActivationBytes[i] = scaledBytes(s.ActivationBytes, memory.ActivationFactor)
	}
}

func scaledBytes(bytes int64, factor float64) int64 { return int64(math.Ceil(factor * float64(bytes))) }

// weightFactor is what a byte of weights takes where that was not measured.
func weightFactor(optimization string) float64 {
	if optimization == "all" {
		return allLevelWeights
	}
	return 1
}

// workerBaseBytes is what a worker with a stage of a model takes on a node beside weights,
// activations and buffers.
func (b *builder) workerBaseBytes(node *config.Node, model *config.Model) int64 {
	memory, measured := b.memoryOf(model)
	if len(measured) == 0 {
		return b.baseBytes(node)
	}
	return b.baseBytes(node) + int64(math.Ceil(memory.Stage))
}
