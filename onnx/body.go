package onnx

import (
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// lightNode is a node whose bodies hold zeros in place of large weights.
func (m *model) lightNode(n *onnxpb.NodeProto) (*onnxpb.NodeProto, error) {
	if len(bodies(n)) == 0 {
		return n, nil
	}
	return m.copyNode(n, func(body *onnxpb.GraphProto, t *onnxpb.TensorProto) error {
		p := m.payloads[t]
		if p == nil || p.inline() || !zeroable(tensor.Type(t.GetDataType())) {
			full, err := m.inlined(t)
			body.Initializer = append(body.Initializer, full)
			return err
		}
		shape := t.GetName() + "_shape_of_zeros"
		body.Initializer = append(body.Initializer, int64Tensor(shape, t.GetDims()))
		zero := &onnxpb.TensorProto{DataType: t.DataType, Dims: []int64{1}, RawData: make([]byte, tensor.Type(t.GetDataType()).Bits()/8)}
		body.Node = append([]*onnxpb.NodeProto{{
			OpType: proto.String("ConstantOfShape"), Input: []string{shape}, Output: []string{t.GetName()},
			Attribute: []*onnxpb.AttributeProto{{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: zero}},
		}}, body.Node...)
		return nil
	})
}

// zeroable says whether ConstantOfShape makes tensors of a type since opset 9.
func zeroable(t tensor.Type) bool {
	switch t {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
		tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Bool:
		return true
	}
	return false
}

// copyNode copies a node and the graphs inside it; weight decides what becomes of
// each of their initializers.
func (m *model) copyNode(n *onnxpb.NodeProto, weight func(body *onnxpb.GraphProto, t *onnxpb.TensorProto) error) (*onnxpb.NodeProto, error) {
	c := &onnxpb.NodeProto{
		Input: n.Input, Output: n.Output, Name: n.Name, OpType: n.OpType, Domain: n.Domain, Overload: n.Overload,
		DocString: n.DocString, MetadataProps: n.MetadataProps,
	}
	for _, a := range n.Attribute {
		if a.G != nil {
			body, err := m.copyBody(a.G, weight)
			if err != nil {
				return nil, err
			}
			a = &onnxpb.AttributeProto{Name: a.Name, Type: a.Type, DocString: a.DocString, G: body}
		} else if len(a.Graphs) > 0 {
			list := make([]*onnxpb.GraphProto, len(a.Graphs))
			for i, g := range a.Graphs {
				body, err := m.copyBody(g, weight)
				if err != nil {
					return nil, err
				}
				list[i] = body
			}
			a = &onnxpb.AttributeProto{Name: a.Name, Type: a.Type, DocString: a.DocString, Graphs: list}
		}
		c.Attribute = append(c.Attribute, a)
	}
	return c, nil
}

func (m *model) copyBody(g *onnxpb.GraphProto, weight func(body *onnxpb.GraphProto, t *onnxpb.TensorProto) error) (*onnxpb.GraphProto, error) {
	c := &onnxpb.GraphProto{
		Name: g.Name, DocString: g.DocString, Input: g.Input, Output: g.Output, ValueInfo: g.ValueInfo,
		SparseInitializer: g.SparseInitializer, QuantizationAnnotation: g.QuantizationAnnotation, MetadataProps: g.MetadataProps,
	}
	for _, n := range g.Node {
		if len(bodies(n)) > 0 {
			var err error
			if n, err = m.copyNode(n, weight); err != nil {
				return nil, err
			}
		}
		c.Node = append(c.Node, n)
	}
	for _, t := range g.Initializer {
		if err := weight(c, t); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func int64Tensor(name string, values []int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(tensor.Int64)), Dims: []int64{int64(len(values))}, Int64Data: values,
	}
}
