package plan

import (
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// describe turns a placement into what the state holds of a model, and keeps
// the content of its blobs. Ports and release are settled later.
func (b *builder) describe(p *placed) (*statefile.Model, error) {
	m := &statefile.Model{
		SourceDigest:   p.chain.Digest,
		Optimization:   p.model.Optimization,
		Threads:        Threads(p.model),
		Queue:          DefaultQueue,
		Transfer:       p.model.Transfer,
		Gateway:        p.model.Gateway,
		TimeoutSeconds: DefaultTimeoutSeconds,
		Access:         (*statefile.Access)(p.model.Client),
		Inputs:         p.chain.Inputs,
		Outputs:        p.chain.Outputs,
		Programs:       map[string][]statefile.Blob{},
		Prediction:     b.prediction(p),
	}
	for i, stage := range p.solution.Stages {
		slice, err := b.slice(p, stage)
		if err != nil {
			return nil, err
		}
		slice.MemoryBytes = p.solution.Cost.Stages[i].MemoryBytes
		m.Slices = append(m.Slices, slice)
	}
	b.addPrograms(m)
	return m, nil
}

// Threads fixes the number of threads where bytes are to be the same on every
// device: what one thread adds up in one order, two add up in another.
func Threads(model *config.Model) int {
	if model.Threads == 0 && model.Optimization == "disabled" {
		return 1
	}
	return model.Threads
}

func (b *builder) slice(p *placed, stage solver.Placed) (statefile.Slice, error) {
	cut, err := p.chain.Slice(stage.FirstSegment, stage.LastSegment)
	if err != nil {
		return statefile.Slice{}, err
	}
	slice := statefile.Slice{
		Node:         p.problem.Nodes[stage.Node].Name,
		FirstSegment: stage.FirstSegment,
		LastSegment:  stage.LastSegment,
		FirstNode:    p.chain.Segments[stage.FirstSegment].Node,
		LastNode:     p.chain.Segments[stage.LastSegment].Node,
		Inputs:       cut.Inputs,
		Outputs:      cut.Outputs,
	}
	slice.Graph, slice.Weights = b.blobs.keep(cut)
	return slice, nil
}

// addPrograms gives every node of the release its worker, and an engine where a
// stage runs.
func (b *builder) addPrograms(m *statefile.Model) {
	for _, node := range ReleaseNodes(m) {
		arch := b.in.architecture(b.nodes[node])
		m.Programs[node] = []statefile.Blob{b.keepProgram(worker.ProgramFile, b.in.Workers[arch])}
	}
	for _, slice := range m.Slices {
		engine := b.in.Engines[b.in.architecture(b.nodes[slice.Node])]
		m.Programs[slice.Node] = append(m.Programs[slice.Node], b.keepProgram(worker.EngineFile, engine))
	}
}

func (b *builder) keepProgram(name string, p Program) statefile.Blob {
	b.blobs[p.Digest] = openFile(p.Path)
	return statefile.Blob{Name: name, Digest: p.Digest, Size: p.Size}
}

func (b *builder) prediction(p *placed) statefile.Prediction {
	cost := p.solution.Cost
	return statefile.Prediction{
		ThroughputPerSecond: 1 / cost.BottleneckSeconds,
		BottleneckSeconds:   cost.BottleneckSeconds,
		Bottleneck:          b.resourceName(p.problem, cost.Bottleneck),
		LatencySeconds:      cost.LatencySeconds,
		Status:              string(p.solution.Status),
		LowerBoundSeconds:   p.solution.LowerBoundSeconds,
	}
}

// settle gives a model its ports and release id. With the ports it has, an
// unchanged model comes out as the release that is deployed; a changed one gets
// ports beside those, so that both releases can run at once.
func (b *builder) settle(name string, m *statefile.Model) error {
	if b.measuresMemory(name) {
		b.keepMemory(name, m)
	}
	if prior, ok := b.in.Prior.Models[name]; ok && b.reusePorts(m, prior) {
		m.Release = ReleaseID(name, m, b.desired.Nodes)
		if m.Release == prior.Release {
			return nil
		}
	}
	if err := b.assignPorts(m); err != nil {
		return err
	}
	m.Release = ReleaseID(name, m, b.desired.Nodes)
	return nil
}

// mostMemoryDrift is how far a stage's memory may be from what is recorded, as a share.
const mostMemoryDrift = 0.1

// measuresMemory says whether the memory of a model follows from measurements.
func (b *builder) measuresMemory(name string) bool {
	for _, model := range b.in.Config.Models {
		if model.Name == name {
			measured := b.memoryOf(model).measured
			return len(measured) > 0 || slices.ContainsFunc(b.cluster(), func(n *config.Node) bool { return b.baseBytes(n) != EngineBaseBytes })
		}
	}
	return false
}

// keepMemory leaves the memory of stages that stay as it is recorded where it differs by
// little: it is part of the release, and measuring anew shall not deploy anew.
func (b *builder) keepMemory(name string, m *statefile.Model) {
	prior := b.in.Prior.Models[name]
	for i := range m.Slices {
		if i >= len(prior.Slices) {
			return
		}
		was, is := prior.Slices[i], &m.Slices[i]
		same := was.Node == is.Node && was.FirstSegment == is.FirstSegment && was.LastSegment == is.LastSegment
		drift := math.Abs(float64(is.MemoryBytes-was.MemoryBytes)) / float64(max(1, was.MemoryBytes))
		if same && drift <= mostMemoryDrift && was.MemoryBytes <= b.nodes[is.Node].Memory {
			is.MemoryBytes = was.MemoryBytes
		}
	}
}

func (b *builder) assignPorts(m *statefile.Model) (err error) {
	m.GatewayPort = 0
	for i := range m.Slices {
		slice := &m.Slices[i]
		if slice.Port, err = b.slots.give(b.desired.Nodes[slice.Node]); err != nil {
			return err
		}
		if slice.Node == m.Gateway {
			m.GatewayPort = slice.Port
		}
	}
	if m.GatewayPort == 0 {
		m.GatewayPort, err = b.slots.give(b.desired.Nodes[m.Gateway])
	}
	return err
}
