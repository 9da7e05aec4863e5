package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

func (m *model) inferShapes(shapes ShapeInferrer, lacking []string) error {
	twin, err := m.twin()
	if err != nil {
		return err
	}
	m.takeInputs(twin)
	for _, name := range lacking {
		if !known(m.infos[m.graph.index[name]]) {
			twin.Graph.Output = append(twin.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
		}
	}
	if len(twin.Graph.Output) == 0 {
		return nil
	}
	found, err := ask(shapes, twin)
	if err != nil {
		return fmt.Errorf("finding the shapes of %d tensors with the engine: %w", len(lacking), err)
	}
	var scalars []int
	for _, info := range found {
		if i, ok := m.graph.index[info.Name]; ok {
			m.infos[i] = info
			if len(info.Shape) == 0 && info.Type != tensor.Undefined {
				scalars = append(scalars, i)
			}
		}
	}
	return m.probeRanks(shapes, twin, scalars)
}

func (m *model) takeInputs(twin *onnxpb.ModelProto) {
	for _, in := range twin.Graph.Input {
		if info, ok := stated(in); ok && !known(m.infos[m.graph.index[info.Name]]) {
			m.infos[m.graph.index[info.Name]] = info
		}
	}
}

func (m *model) probeRanks(shapes ShapeInferrer, twin *onnxpb.ModelProto, scalars []int) error {
	if len(scalars) == 0 {
		return nil
	}
	probes := map[string]int{}
	twin.Graph.Output = nil
	for n, i := range scalars {
		name := m.unusedName(fmt.Sprintf("rank_%d", n))
		probes[name] = i
		twin.Graph.Node = append(twin.Graph.Node, &onnxpb.NodeProto{
			OpType: proto.String("Shape"), Input: []string{m.graph.values[i].name}, Output: []string{name},
		})
		twin.Graph.Output = append(twin.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	found, err := ask(shapes, twin)
	if err != nil {
		return fmt.Errorf("finding the ranks of %d tensors with the engine: %w", len(scalars), err)
	}
	for _, info := range found {
		if i, ok := probes[info.Name]; ok && (len(info.Shape) != 1 || info.Shape[0] != 0) {
			m.unranked[i] = true
		}
	}
	return nil
}

func (m *model) unusedName(name string) string {
	for {
		if _, taken := m.graph.index[name]; !taken {
			return name
		}
		name += "_"
	}
}

func ask(shapes ShapeInferrer, twin *onnxpb.ModelProto) ([]tensor.Info, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(twin)
	if err != nil {
		return nil, err
	}
	return shapes.InferShapes(raw)
}
