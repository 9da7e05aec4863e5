package modelbuilder

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Node is a node protobuf, for bodies of If and Loop and for hand-made graphs.
func Node(op string, inputs, outputs []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{
		OpType: proto.String(op), Input: inputs, Output: outputs, Attribute: attrs,
	}
}

// Int is an integer attribute.
func Int(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(v)}
}

// Ints is an attribute of several integers.
func Ints(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

// Float is a float attribute.
func Float(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(v)}
}

// Str is a string attribute.
func Str(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(v)}
}

// TensorAttr is a tensor attribute.
func TensorAttr(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
}

// Graph is a graph attribute: a branch of If, the body of Loop or Scan.
func Graph(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// ValueInfo names a tensor's type and shape; a dimension is an int, an int64, or
// a string for a symbolic one.
func ValueInfo(name string, t tensor.Type, dims ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, dimension(d))
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(t)), Shape: shape,
		}}},
	}
}

func dimension(d any) *onnxpb.TensorShapeProto_Dimension {
	switch d := d.(type) {
	case int:
		return dimension(int64(d))
	case int64:
		return &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}}
	case string:
		return &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}}
	}
	panic(fmt.Sprintf("a dimension is an int, an int64 or a string, not %T", d))
}

// describe reads a value info back; symbolic dimensions become unknown.
func describe(v *onnxpb.ValueInfoProto) tensor.Info {
	t := v.GetType().GetTensorType()
	info := tensor.Info{Name: v.GetName(), Type: tensor.Type(t.GetElemType()), Shape: []int64{}}
	for _, d := range t.GetShape().GetDim() {
		if _, fixed := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); fixed {
			info.Shape = append(info.Shape, d.GetDimValue())
		} else {
			info.Shape = append(info.Shape, tensor.Unknown)
		}
	}
	return info
}

// valueInfo states what is known of a tensor.
func valueInfo(name string, infos map[string]tensor.Info) *onnxpb.ValueInfoProto {
	info, ok := infos[name]
	if !ok {
		return &onnxpb.ValueInfoProto{Name: proto.String(name)}
	}
	v := ValueInfo(name, info.Type)
	shape := v.GetType().GetTensorType().GetShape()
	for _, d := range info.Shape {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if d >= 0 {
			dim = dimension(d)
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return v
}
