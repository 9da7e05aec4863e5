package plan

import (
	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/transfer"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Memory of a worker beyond its slice, in bytes (docs/architecture.md has the
// measurements behind these).
const (
	// EngineBaseBytes is the worker with ONNX Runtime loaded and a session open:
	// program, engine, and the engine's own buffers beside weights and activations. It
	// counts where that was not measured.
	EngineBaseBytes = 56 << 20
	// GatewayBaseBytes is a worker without an engine.
	GatewayBaseBytes = 20 << 20
)

// Optimisation level all copies weights into other layouts: a stage then needs
// this many times the bytes of its weights.
const allLevelWeights = 2.6

// DefaultQueue is how many requests wait before and after the engine of a stage.
const DefaultQueue = 2

// DefaultTimeoutSeconds bounds one request from entry to answer.
const DefaultTimeoutSeconds = 60

// Tensors that a stage holds of the cut before it and of the one behind it.
var (
	inBuffers  = int64(worker.InBuffers(DefaultQueue))
	outBuffers = int64(worker.OutBuffers(DefaultQueue))
)

// leastSeconds is what a segment takes at least, the unit that the solver counts in:
// were all of them free, the throughput would be no number.
const leastSeconds = 1e-12

// problemOf is a model on the cluster as the solver sees it: nodes in order of
// address, excluded ones among them so that one of them may be the gateway.
func (b *builder) problemOf(model *config.Model, excluded map[string]bool) *solver.Problem {
	chain := b.in.Chains[model.Name]
	p := &solver.Problem{
		Name:       model.Address,
		InBuffers:  inBuffers,
		OutBuffers: outBuffers,
	}
	addChain(p, chain, model)
	b.addMemory(p, model, chain)
	times := heldTimes(transfer.Form(model.Transfer))
	p.InBuffers, p.OutBuffers = times*p.InBuffers, times*p.OutBuffers
	for i, node := range b.cluster() {
		p.Nodes = append(p.Nodes, b.problemNode(node, model))
		if node.Address == model.Gateway {
			p.Gateway = &i
		}
		if excluded[node.Address] {
			p.ExcludedNodes = append(p.ExcludedNodes, i)
		}
	}
	b.addConnections(p)
	b.addDeployed(p, model, chain)
	return p
}

// heldTimes is by how much more a stage holds of a cut than buffers of the bytes that travel. Tensors are
// smaller only on their way: what waits in a stage is as large as ever. And those that change their form
// come and go in memory of their own, of which Go lets as much stand as garbage as is in use.
func heldTimes(form transfer.Form) int64 {
	if form == "" || form == transfer.None {
		return 1
	}
	return 2 * form.Shrink()
}

// travels is how many bytes of a cut go over a link: the most that they can be.
func travels(cut onnx.Cut, form transfer.Form) int64 {
	bytes := cut.Bytes
	for _, t := range cut.Tensors {
		plain, err := t.Bytes()
		if err != nil {
			continue // not known before it runs: such a cut is not offered
		}
		if small, err := form.Bytes(t); err == nil {
			bytes -= plain - small
		}
	}
	return bytes
}

// addChain sets the costs of segments and cuts. A cut that splits what the
// engine fuses is offered only where the engine fuses nothing.
func addChain(p *solver.Problem, chain *onnx.Chain, model *config.Model) {
	for _, cut := range chain.Cuts {
		p.CutBytes = append(p.CutBytes, travels(cut, transfer.Form(model.Transfer)))
	}
	for _, segment := range chain.Segments {
		p.SegmentBytes = append(p.SegmentBytes, LoadedBytes(segment.WeightBytes, model.Optimization))
		p.ActivationBytes = append(p.ActivationBytes, segment.ActivationBytes)
		p.SegmentNames = append(p.SegmentNames, segment.Node)
	}
	p.AllowedCuts = AllowedCuts(chain, model.Optimization)
}

// AllowedCuts are the positions inside a chain where a plan may cut it.
func AllowedCuts(chain *onnx.Chain, optimization string) []int {
	allowed := []int{}
	for _, cut := range chain.Cuts {
		inner := cut.Position > 0 && cut.Position < len(chain.Segments)
		splits := cut.SplitsFusion && optimization != "disabled"
		if inner && !splits && cut.Uncuttable == "" {
			allowed = append(allowed, cut.Position)
		}
	}
	return allowed
}

// LoadedBytes is what weights take once their stage is loaded.
func LoadedBytes(weights int64, optimization string) int64 {
	if optimization == "all" {
		return int64(allLevelWeights * float64(weights))
	}
	return weights
}

// cluster are the enabled nodes in order of address.
func (b *builder) cluster() []*config.Node { return enabledNodes(b.in.Config) }

func enabledNodes(c *config.Config) []*config.Node {
	var nodes []*config.Node
	for _, node := range c.Nodes {
		if node.Enabled {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func (b *builder) problemNode(node *config.Node, model *config.Model) solver.Node {
	n := solver.Node{
		Name:        node.Address,
		MemoryBytes: max(0, node.Memory-b.keptBytes(node.Address)),
		BaseBytes:   b.workerBaseBytes(node, model) + b.gatewayBytes(node.Address, model),
	}
	b.addTimes(&n, node, model)
	return n
}

// gatewayBytes is the memory a node spends on being a gateway: the buffers of
// the given model, whose stage shares the process, and a process of its own for
// every other model.
func (b *builder) gatewayBytes(node string, own *config.Model) int64 {
	var total int64
	for _, model := range b.in.Config.Models {
		if model.Gateway != node {
			continue
		}
		total += gatewayBuffers(b.in.Chains[model.Name])
		if model != own {
			total += GatewayBaseBytes
		}
	}
	return total
}

// A gateway holds a request from when it reads it to its answer, and lets in as many at
// once as fit into gatewayHolds bytes, but no fewer than pipelines of some ten stages need to be busy.
const (
	gatewayHolds         = 8 << 20
	leastGatewayRequests = 32
	mostGatewayRequests  = 256
)

// GatewayRequests is how many requests of some bytes, with their answers, a gateway holds.
func GatewayRequests(bytes int64) int64 {
	return min(max(leastGatewayRequests, gatewayHolds/max(1, bytes)), mostGatewayRequests)
}

// gatewayHeldBytes is what they take together.
func gatewayHeldBytes(bytes int64) int64 { return GatewayRequests(bytes) * bytes }

func gatewayBuffers(chain *onnx.Chain) int64 {
	return gatewayHeldBytes(chain.Cuts[0].Bytes + chain.Cuts[len(chain.Cuts)-1].Bytes)
}

func (b *builder) addConnections(p *solver.Problem) {
	nodes := b.cluster()
	index := map[string]int{}
	for i, from := range nodes {
		index[from.Address] = i
		bandwidth, latency := make([]float64, len(nodes)), make([]float64, len(nodes))
		for j, to := range nodes {
			c := b.network.connections[pair{from.Address, to.Address}]
			bandwidth[j], latency[j] = c.bandwidth, c.latency
		}
		p.Bandwidth = append(p.Bandwidth, bandwidth)
		p.Latency = append(p.Latency, latency)
	}
	for _, shared := range b.network.shared {
		medium := solver.Shared{Name: shared.address}
		for _, pair := range shared.pairs {
			from, ok1 := index[pair.from]
			to, ok2 := index[pair.to]
			if ok1 && ok2 {
				medium.Pairs = append(medium.Pairs, [2]int{from, to})
			}
		}
		p.Shared = append(p.Shared, medium)
	}
}

// addDeployed lets the search start from what is deployed, also where the model
// file changed in the meantime, and prefer nodes that already hold the weights.
func (b *builder) addDeployed(p *solver.Problem, model *config.Model, chain *onnx.Chain) {
	prior, ok := b.in.Prior.Models[model.Name]
	if !ok {
		return
	}
	index := map[string]int{}
	for i, node := range p.Nodes {
		index[node.Name] = i
	}
	p.Start = placement(prior, index, len(chain.Segments))
	if p.Start == nil || prior.SourceDigest != chain.Digest {
		return
	}
	p.HeldBytes = make([][]int64, len(p.Nodes))
	for i := range p.HeldBytes {
		p.HeldBytes[i] = make([]int64, len(chain.Segments))
	}
	for _, stage := range p.Start {
		copy(p.HeldBytes[stage.Node][stage.FirstSegment:], p.SegmentBytes[stage.FirstSegment:stage.LastSegment+1])
	}
}

// placement is a recorded model as the solver's stages, or nil when a node of it
// is gone or its slices are not the chain's segments from first to last.
func placement(m statefile.Model, index map[string]int, segments int) []solver.Placed {
	var stages []solver.Placed
	next := 0
	for _, slice := range m.Slices {
		node, ok := index[slice.Node]
		if !ok || slice.FirstSegment != next || slice.LastSegment < next {
			return nil
		}
		stages = append(stages, solver.Placed{Node: node, FirstSegment: slice.FirstSegment, LastSegment: slice.LastSegment})
		next = slice.LastSegment + 1
	}
	if next != segments {
		return nil
	}
	return stages
}
