package modelbuilder

import (
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// If takes one of two branches that read tensors and weights from outside, one of
// them with a large weight of its own, and one with an If of its own.
func If(seed uint64) (*Model, error) {
	b := New("if", seed)
	x := b.Input("x", tensor.Float32, 4, 32)
	choose := b.Input("choose", tensor.Bool)
	w := b.Weight("outer", 32, 32, 32)
	h := b.Node("Relu", []string{b.Node("MatMul", []string{x, w})})
	side := b.Node("Tanh", []string{h})
	own := New("", seed+1)
	own.Weight("inner", 32, 32, 32)
	nested := b.branch("nested", "nested_out",
		Node("Add", []string{h, side}, []string{"nested_out"}))
	other := b.branch("other", "other_out", Node("Sub", []string{h, side}, []string{"other_out"}))
	then := b.branch("then", "then_out",
		Node("MatMul", []string{h, "inner"}, []string{"then_h"}),
		Node("MatMul", []string{"then_h", w}, []string{"then_out"}))
	then.Initializer = append(then.Initializer, own.weights[0].proto())
	otherwise := b.branch("else", "else_out",
		Node("If", []string{choose}, []string{"else_h"}, Graph("then_branch", nested), Graph("else_branch", other)),
		Node("Mul", []string{"else_h", side}, []string{"else_out"}))
	y := b.Node("If", []string{choose}, Graph("then_branch", then), Graph("else_branch", otherwise))
	b.Describe(y, tensor.Float32, 4, 32)
	b.Output(b.Node("Sigmoid", []string{b.Node("Add", []string{y, h})}))
	return b.Model()
}

// branch is a graph without inputs.
func (b *Builder) branch(name, output string, nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
	return &onnxpb.GraphProto{
		Name: proto.String(name), Node: nodes,
		Output: []*onnxpb.ValueInfoProto{ValueInfo(output, tensor.Float32, 4, 32)},
	}
}

// IfOfShape takes the branch that the size of its symbolic batch chooses, as traced
// models do, and computes the weight of a branch from one outside.
func IfOfShape(seed uint64) (*Model, error) {
	b := New("if-of-shape", seed)
	x := b.Input("x", tensor.Float32, "batch", 32)
	b.Describe(x, tensor.Float32, 4, 32)
	w := b.Weight("outer", 32, 64, 32)
	h := b.Node("Relu", []string{x})
	size := b.Node("Gather", []string{b.Node("Shape", []string{h}), b.Int64s("first", 0)})
	single := b.Node("Squeeze", []string{b.Node("Equal", []string{size, b.Int64s("single", 1)})})
	b.Int64s("from", 16)
	b.Int64s("to", 48)
	then := b.branch("one", "one_out", Node("Add", []string{h, h}, []string{"one_out"}))
	otherwise := b.branch("more", "more_out",
		Node("Slice", []string{w, "from", "to"}, []string{"part"}),
		Node("MatMul", []string{h, "part"}, []string{"more_out"}))
	y := b.Node("If", []string{single}, Graph("then_branch", then), Graph("else_branch", otherwise))
	b.Describe(y, tensor.Float32, 4, 32)
	b.Output(b.Node("Tanh", []string{y}))
	return b.Model()
}

// Loop multiplies a state with a captured weight a fixed number of times and adds a
// captured tensor.
func Loop(seed uint64) (*Model, error) {
	b := New("loop", seed)
	x := b.Input("x", tensor.Float32, 4, 32)
	w := b.Uniform("outer", -0.2, 0.2, 32, 32)
	start := b.Node("Relu", []string{b.Node("MatMul", []string{x, w})})
	added := b.Node("Tanh", []string{start})
	trips := b.Raw("trips", tensor.Int64, nil, encode([]int64{3}))
	yes := b.Raw("yes", tensor.Bool, nil, []byte{1})
	body := &onnxpb.GraphProto{
		Name: proto.String("body"),
		Input: []*onnxpb.ValueInfoProto{
			ValueInfo("i", tensor.Int64), ValueInfo("go_on", tensor.Bool), ValueInfo("state", tensor.Float32, 4, 32),
		},
		Node: []*onnxpb.NodeProto{
			Node("Identity", []string{"go_on"}, []string{"go_on_out"}),
			Node("MatMul", []string{"state", w}, []string{"state_h"}),
			Node("Add", []string{"state_h", added}, []string{"state_out"}),
		},
		Output: []*onnxpb.ValueInfoProto{
			ValueInfo("go_on_out", tensor.Bool), ValueInfo("state_out", tensor.Float32, 4, 32),
		},
	}
	y := b.Node("Loop", []string{trips, yes, start}, Graph("body", body))
	b.Describe(y, tensor.Float32, 4, 32)
	b.Output(b.Node("Relu", []string{b.Node("Add", []string{y, x})}))
	return b.Model()
}

// QDQ is a quantised network as exporters write it: weights dequantised from int8,
// activations quantised and dequantised around every layer.
func QDQ(seed uint64) (*Model, error) {
	b := New("quantised", seed)
	x := b.Input("image", tensor.Float32, 1, 3, 16, 16)
	x = b.quantise(x, 0.02)
	for layer := range 3 {
		in, out := b.infos[x].Shape[1], int64(16)
		w := b.int8Weight(out*in*9, out, in, 3, 3)
		y := b.Node("Conv", []string{x, w}, window(3, int64(1+layer%2), 1)...)
		x = b.quantise(b.Node("Relu", []string{y}), 0.05)
	}
	x = b.quantise(b.Node("GlobalAveragePool", []string{x}), 0.05)
	b.Output(b.Node("Flatten", []string{x}, Int("axis", 1)))
	return b.Model()
}

// quantise puts a tensor through uint8.
func (b *Builder) quantise(x string, step float32) string {
	name := b.unique("quantum")
	scale, zero := b.Floats(name+"_scale", nil, step), b.Raw(name+"_zero", tensor.Uint8, nil, []byte{128})
	q := b.Node("QuantizeLinear", []string{x, scale, zero})
	return b.Node("DequantizeLinear", []string{q, scale, zero})
}

// int8Weight is a seeded int8 weight, dequantised.
func (b *Builder) int8Weight(n int64, shape ...int64) string {
	name := b.unique("int8")
	data := make([]byte, n)
	state := b.seed + uint64(len(b.weights))
	for i := range data {
		state = state*6364136223846793005 + 1442695040888963407 // the MMIX generator
		data[i] = byte(state >> 56)
	}
	w := b.Raw(name, tensor.Int8, shape, data)
	return b.Node("DequantizeLinear", []string{w, b.Floats(name+"_scale", nil, 0.002), b.Raw(name+"_zero", tensor.Int8, nil, []byte{0})})
}

// Constants has weights that nodes make: by ConstantOfShape, from a Constant node,
// and by transposing an initializer; one weight is stored as float_data.
func Constants(seed uint64) (*Model, error) {
	b := New("constants", seed)
	x := b.Input("x", tensor.Float32, 4, 32)
	filled := b.Node("ConstantOfShape", []string{b.Int64s("filled_shape", 32, 32)},
		TensorAttr("value", Tensor("", tensor.Float32, []int64{1}, []float32{0.01})))
	own := New("", seed+1)
	own.Weight("", 32, 32, 32)
	constant := b.Node("Constant", nil, TensorAttr("value", own.weights[0].proto()))
	turned := b.Node("Transpose", []string{b.Weight("w", 32, 32, 32)}, Ints("perm", 1, 0))
	x = b.Node("Tanh", []string{b.Node("MatMul", []string{x, turned})})
	x = b.Node("Tanh", []string{b.Node("MatMul", []string{x, constant})})
	x = b.Node("Add", []string{b.Node("MatMul", []string{x, filled}), x})
	x = b.Node("MatMul", []string{x, turned})
	b.Output(x)
	b.Describe(x, tensor.Float32, 4, 32)
	return b.Model()
}

// Function calls a model-local function twice, which calls another one.
func Function(seed uint64) (*Model, error) {
	b := New("function", seed)
	b.Import("test.local", 1)
	standard := []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}}
	local := &onnxpb.OperatorSetIdProto{Domain: proto.String("test.local"), Version: proto.Int64(1)}
	inner := &onnxpb.FunctionProto{
		Name: proto.String("Twice"), Domain: proto.String("test.local"), Input: []string{"a"}, Output: []string{"b"},
		OpsetImport: standard, Node: []*onnxpb.NodeProto{Node("Add", []string{"a", "a"}, []string{"b"})},
	}
	call := Node("Twice", []string{"t"}, []string{"y"})
	call.Domain = proto.String("test.local")
	outer := &onnxpb.FunctionProto{
		Name: proto.String("Squash"), Domain: proto.String("test.local"), Input: []string{"x"}, Output: []string{"y"},
		OpsetImport: append(standard, local), Node: []*onnxpb.NodeProto{Node("Tanh", []string{"x"}, []string{"t"}), call},
	}
	b.Function(inner)
	b.Function(outer)
	x := b.Input("x", tensor.Float32, 4, 32)
	for range 2 {
		x = b.Linear(x, 32)
		y := b.Node("Squash", []string{x})
		b.Domain("test.local")
		b.Describe(y, tensor.Float32, 4, 32)
		x = y
	}
	b.Output(x)
	return b.Model()
}
