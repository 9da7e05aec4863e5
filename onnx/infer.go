package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// foldLimit bounds the bytes that the engine is made to compute for the sake of shapes.
const foldLimit = 1 << 30

// inferShapes asks the engine for the tensors that the file does not describe: first
// without computing anything, then, for what is left, with constant nodes computed.
func (m *model) inferShapes(shapes ShapeInferrer, lacking []string) error {
	twin, err := m.twin()
	if err != nil {
		return err
	}
	m.takeInputs(twin)
	if err := m.ask(shapes, twin, m.unknownOf(lacking), false); err != nil {
		return fmt.Errorf("finding the shapes of %d tensors with the engine: %w", len(lacking), err)
	}
	rest := m.unknownOf(lacking)
	if len(rest) == 0 || m.constantNodeBytes() > foldLimit {
		return nil
	}
	// A constant that cannot be computed leaves shapes as unknown as they were.
	_ = m.ask(shapes, twin, rest, true)
	return nil
}

// takeInputs notes what is known of the inputs of a twin.
func (m *model) takeInputs(twin *onnxpb.ModelProto) {
	for _, in := range twin.Graph.Input {
		if info, ok := stated(in); ok && !known(m.infos[m.graph.index[info.Name]]) {
			m.infos[m.graph.index[info.Name]] = info
		}
	}
}

// unknownOf are the values, among these names, that are not described completely.
func (m *model) unknownOf(names []string) []int {
	var list []int
	for _, name := range names {
		if i := m.graph.index[name]; !m.known(i) {
			list = append(list, i)
		}
	}
	return list
}

// constantNodeBytes is what constant nodes make, as far as it is known.
func (m *model) constantNodeBytes() int64 {
	var total int64
	for i, v := range m.graph.values {
		if v.origin == fromConstant {
			total = addCapped(total, m.size(i))
		}
	}
	return total
}

// ask has the engine describe values.
func (m *model) ask(shapes ShapeInferrer, twin *onnxpb.ModelProto, wanted []int, fold bool) error {
	if len(wanted) == 0 {
		return nil
	}
	twin.Graph.Output = nil
	for _, i := range wanted {
		twin.Graph.Output = append(twin.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String(m.graph.values[i].name)})
	}
	found, err := outputsOf(shapes, twin, fold)
	if err != nil {
		return err
	}
	var scalars []int
	for _, info := range found {
		if i, ok := m.graph.index[info.Name]; ok {
			m.infos[i], m.unranked[i] = info, false
			if len(info.Shape) == 0 && info.Type != tensor.Undefined {
				scalars = append(scalars, i)
			}
		}
	}
	return m.probeRanks(shapes, twin, scalars, fold)
}

// probeRanks tells scalars from tensors of which not even the rank is known, which
// the engine describes alike: the shape of a scalar is a vector of 0 elements, that
// of the others a vector of an unknown number.
func (m *model) probeRanks(shapes ShapeInferrer, twin *onnxpb.ModelProto, scalars []int, fold bool) error {
	if len(scalars) == 0 {
		return nil
	}
	nodes := twin.Graph.Node
	defer func() { twin.Graph.Node = nodes }()
	twin.Graph.Node, twin.Graph.Output = nodes[:len(nodes):len(nodes)], nil
	probes := map[string]int{}
	for n, i := range scalars {
		name := m.unusedName(fmt.Sprintf("rank_%d", n))
		probes[name] = i
		twin.Graph.Node = append(twin.Graph.Node, &onnxpb.NodeProto{
			OpType: proto.String("Shape"), Input: []string{m.graph.values[i].name}, Output: []string{name},
		})
		twin.Graph.Output = append(twin.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	found, err := outputsOf(shapes, twin, fold)
	if err != nil {
		return fmt.Errorf("ranks of %d of them: %w", len(scalars), err)
	}
	for _, info := range found {
		if i, ok := probes[info.Name]; ok && (len(info.Shape) != 1 || info.Shape[0] != 0) {
			m.unranked[i] = true
		}
	}
	return nil
}

// unusedName is a name that no tensor of the graph has.
func (m *model) unusedName(name string) string {
	for {
		if _, taken := m.graph.index[name]; !taken {
			return name
		}
		name += "_"
	}
}

// outputsOf has the engine describe the outputs of a model.
func outputsOf(shapes ShapeInferrer, twin *onnxpb.ModelProto, fold bool) ([]tensor.Info, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(twin)
	if err != nil {
		return nil, err
	}
	return shapes.InferShapes(raw, fold)
}
