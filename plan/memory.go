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
	excess := b.servingExcess(model, m.memory)
	m.buffers = excess.buffers()
	m.memory.Stage += excess.beside(m.buffers)
	b.memories[model.Name] = m
	return m
}

// servingExcess is by how many bytes workers that really served a range exceeded what a fit
// says with their queues, as heaps of messages and what loading leaves behind do.
func (b *builder) servingExcess(model *config.Model, fit profile.Memory) (list excesses) {
	chain := b.in.Chains[model.Name]
	for _, node := range b.in.Config.Nodes {
		for _, p := range b.matching(node.Address, model) {
			if p.ServingPeakMemoryBytes > 0 {
				weights, activations := rangeBytes(chain, p.FirstSegment, p.LastSegment)
				around := bytesAround(chain, p.FirstSegment, p.LastSegment)
				said := float64(b.baseBytes(node)) + fit.Bytes(weights, activations) + buffersPerQueue*around
				list = append(list, excess{float64(p.ServingPeakMemoryBytes) - said, around})
			}
		}
	}
	return list
}

// excess is that of a worker, whose range receives and sends so many bytes for a request.
type excess struct{ bytes, around float64 }

type excesses []excess

// mostBuffers bounds what workers are thought to hold of each cut beside their queues: beyond, it
// is not of messages.
const mostBuffers = 8

// buffers is how many tensors of each cut, beside those of the queues, explain best what the
// workers exceeded: messages on their way, and garbage, which Go leaves to stand as long as there
// is less of it than of what is alive.
func (e excesses) buffers() (best int64) {
	least := e.misfit(0)
	for k := int64(1); k <= mostBuffers; k++ {
		if m := e.misfit(k); m < least {
			best, least = k, m
		}
	}
	return best
}

// beside is what all of them exceeded, however many bytes they move: the mean, and not less than
// nothing.
func (e excesses) beside(buffers int64) float64 {
	sum := 0.0
	for _, x := range e {
		sum += x.bytes - float64(buffers)*x.around
	}
	return max(0, sum/max(1, float64(len(e))))
}

// misfit is the sum of squares of what so many buffers leave open.
func (e excesses) misfit(buffers int64) (sum float64) {
	beside := e.beside(buffers)
	for _, x := range e {
		open := x.bytes - float64(buffers)*x.around - beside
		sum += open * open
	}
	return sum
}

// memoryFit is what memoryOf has found.
type memoryFit struct {
	memory   profile.Memory
	buffers  int64           // of each cut, beside those of the queues
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
	p.InBuffers, p.OutBuffers = p.InBuffers+fit.buffers, p.OutBuffers+fit.buffers
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
