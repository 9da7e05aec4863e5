package plan

import (
	"math"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/profile"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// memoryOf is what stages of a model need beside the base, fitted to the peaks measured
// on all nodes.
func (b *builder) memoryOf(model *config.Model) memoryFit {
	if known, ok := b.memories[model.Name]; ok {
		return known
	}
	chain := b.in.Chains[model.Name]
	measured := map[string]bool{}
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
	m := memoryFit{memory: profile.FitMemory(peaks, weightFactor(model.Optimization)), measured: measured}
	m.memory.Stage += b.servingExcess(model, m.memory)
	b.memories[model.Name] = m
	return m
}

// servingExcess is by how many bytes workers that really served a range exceeded what a fit says with
// the requests that they hold: on average, and not less than nothing. How long a request is does
// not matter, as what a stage holds of each is known.
func (b *builder) servingExcess(model *config.Model, fit profile.Memory) float64 {
	chain := b.in.Chains[model.Name]
	sum, count := 0.0, 0
	for _, node := range b.in.Config.Nodes {
		for _, p := range b.matching(node.Address, model) {
			if p.ServingPeakMemoryBytes > 0 {
				said := float64(b.baseBytes(node)) + fit.Bytes(rangeBytes(chain, p.FirstSegment, p.LastSegment))
				sum += float64(p.ServingPeakMemoryBytes) - said - heldBytes(chain, p.FirstSegment, p.LastSegment)
				count++
			}
		}
	}
	return max(0, sum) / float64(max(1, count))
}

// heldBytes are those of the requests that a stage of a range holds.
func heldBytes(chain *onnx.Chain, first, last int) float64 {
	return float64(inBuffers*chain.Cuts[first].Bytes + outBuffers*chain.Cuts[last+1].Bytes)
}

// memoryFit is what memoryOf has found.
type memoryFit struct {
	memory   profile.Memory
	measured map[string]bool // nodes that have peaks
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
	fit := b.memoryOf(model)
	if len(fit.measured) == 0 {
		return
	}
	for i, s := range chain.Segments {
		p.SegmentBytes[i] = scaledBytes(s.WeightBytes, fit.memory.WeightFactor)
		p.ActivationBytes[i] = scaledBytes(s.ActivationBytes, fit.memory.ActivationFactor)
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
	fit := b.memoryOf(model)
	if len(fit.measured) == 0 {
		return b.baseBytes(node)
	}
	return b.baseBytes(node) + int64(math.Ceil(fit.memory.Stage))
}
