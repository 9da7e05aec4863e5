package onnx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// twin is the model without large weights, which become typed inputs, and without
// outputs: the tensors whose shapes are wanted become these. The engine loads it in
// milliseconds and knows the shapes then.
func (m *model) twin() (*onnxpb.ModelProto, error) {
	p := &onnxpb.ModelProto{
		IrVersion:   proto.Int64(max(m.proto.GetIrVersion(), 4)), // from 4 on, initializers need not be inputs
		OpsetImport: m.proto.OpsetImport,
		Functions:   m.proto.Functions,
		Graph:       &onnxpb.GraphProto{Name: m.proto.Graph.Name, SparseInitializer: m.proto.Graph.SparseInitializer},
	}
	g := p.Graph
	for _, i := range m.graph.inputs {
		g.Input = append(g.Input, m.inputProto(i))
	}
	for _, t := range m.proto.Graph.Initializer {
		if p := m.payloads[t]; p != nil && !p.inline() {
			g.Input = append(g.Input, valueInfo(tensor.Info{Name: t.GetName(), Type: tensor.Type(t.GetDataType()), Shape: t.GetDims()}))
			continue
		}
		full, err := m.inlined(t)
		if err != nil {
			return nil, err
		}
		g.Initializer = append(g.Initializer, full)
	}
	for _, at := range m.graph.sorted {
		n := &m.graph.nodes[at]
		if n.dead {
			continue
		}
		if info, ok := m.filled(n); ok && info.Type != tensor.Int64 {
			g.Input = append(g.Input, valueInfo(info))
			continue
		}
		if m.foreign(n.NodeProto) {
			made, err := m.madeByForeign(n)
			if err != nil {
				return nil, err
			}
			g.Input = append(g.Input, made...)
			continue
		}
		light, err := m.lightNode(n.NodeProto)
		if err != nil {
			return nil, err
		}
		g.Node = append(g.Node, light)
		if !standardDomain(n.GetDomain()) || len(bodies(n.NodeProto)) > 0 {
			g.ValueInfo = append(g.ValueInfo, m.statedFor(n)...)
		}
	}
	return p, nil
}

// filled describes the large weight that a ConstantOfShape node makes of a shape in
// the file. As an input of the twin it is described and never made.
func (m *model) filled(n *node) (tensor.Info, bool) {
	if n.GetOpType() != "ConstantOfShape" || !standardDomain(n.GetDomain()) || len(n.inputs) != 1 || n.inputs[0] < 0 || len(n.outputs) != 1 {
		return tensor.Info{}, false
	}
	t := m.graph.values[n.inputs[0]].weight
	if t == nil || m.payloads[t] != nil || tensor.Type(t.GetDataType()) != tensor.Int64 {
		return tensor.Info{}, false
	}
	raw, err := elementsOf(t, m.file.folder)
	if err != nil || len(raw)%8 != 0 {
		return tensor.Info{}, false
	}
	info := tensor.Info{Name: n.Output[0], Type: tensor.Float32, Shape: int64s(raw)}
	if value := attribute(n.NodeProto, "value").GetT(); value != nil {
		info.Type = tensor.Type(value.GetDataType())
	}
	size, err := info.Bytes()
	return info, err == nil && size >= inlineLimit && n.outputs[0] >= 0 && !m.graph.values[n.outputs[0]].output
}

// int64s decodes little-endian numbers.
func int64s(raw []byte) []int64 {
	list := make([]int64, 0, len(raw)/8)
	for ; len(raw) >= 8; raw = raw[8:] {
		list = append(list, int64(binary.LittleEndian.Uint64(raw)))
	}
	return list
}

// inputProto is the file's own declaration of a graph input.
func (m *model) inputProto(i int) *onnxpb.ValueInfoProto {
	for _, in := range m.proto.Graph.Input {
		if in.GetName() == m.graph.values[i].name {
			return in
		}
	}
	return nil
}

// statedFor are the descriptions of what a node makes, for operators that the
// engine may not know the shapes of: the file's, and for a Loop what its body says
// of its outputs, since the engine takes a state to change its shape.
func (m *model) statedFor(n *node) []*onnxpb.ValueInfoProto {
	var list []*onnxpb.ValueInfoProto
	for at, name := range n.Output {
		if name == "" {
			continue
		}
		if info, ok := m.stated[name]; ok && known(info) {
			list = append(list, valueInfo(info))
		} else if info, ok := loopState(n.NodeProto, at); ok {
			info.Name = name
			list = append(list, valueInfo(info))
		}
	}
	return list
}

// loopState is the description of a state in the body of a Loop, whose inputs are
// the count, the condition and the states, and whose outputs are the condition, the
// states and what is collected.
func loopState(n *onnxpb.NodeProto, at int) (tensor.Info, bool) {
	body := attribute(n, "body").GetG()
	if n.GetOpType() != "Loop" || at+2 >= len(body.GetInput()) || at+1 >= len(body.GetOutput()) {
		return tensor.Info{}, false
	}
	before, ok := stated(body.Input[at+2])
	after, same := stated(body.Output[at+1])
	return after, ok && same && known(after) && after.Type == before.Type && slices.Equal(after.Shape, before.Shape)
}

// inline says whether a payload belongs into the graph: shape inference needs the
// values of small integer tensors, and tiny files help nobody.
func (p *payload) inline() bool {
	switch p.elem {
	case tensor.Int64, tensor.Int32, tensor.Bool:
		return p.bytes <= 64<<10
	}
	return p.bytes < inlineLimit
}

// inlined is a tensor with its elements inside.
func (m *model) inlined(t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
	p := m.payloads[t]
	if p == nil {
		return t, nil
	}
	full := proto.CloneOf(t)
	if err := restore(full, p); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	return full, nil
}

// valueInfo states a type, and the dimensions that are known.
func valueInfo(info tensor.Info) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range info.Shape {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if d >= 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(info.Name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(info.Type)), Shape: shape,
		}}},
	}
}
