package modelbuilder

import (
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// derive works out type and shape of a node's first output for the operators
// that the ready models use. Others are described by the caller, or stay unknown.
func (b *Builder) derive(node *onnxpb.NodeProto) {
	var inputs []tensor.Info
	for _, name := range node.Input {
		info, ok := b.infos[name]
		if !ok && name != "" {
			return
		}
		inputs = append(inputs, info)
	}
	if len(inputs) == 0 {
		return
	}
	shape := outputShape(node, inputs)
	if shape == nil {
		return
	}
	info := tensor.Info{Name: node.Output[0], Type: inputs[0].Type, Shape: shape}
	switch node.GetOpType() {
	case "QuantizeLinear":
		info.Type = inputs[2].Type
	case "DequantizeLinear":
		info.Type = inputs[1].Type
	}
	b.infos[info.Name] = info
}

// outputShape is nil for operators it has no rule for.
func outputShape(node *onnxpb.NodeProto, in []tensor.Info) []int64 {
	x := in[0].Shape
	switch node.GetOpType() {
	case "Relu", "Sigmoid", "Tanh", "Erf", "Softmax", "LayerNormalization", "BatchNormalization", "Identity", "Clip",
		"Sqrt", "QuantizeLinear", "DequantizeLinear":
		return x
	case "Add", "Mul", "Sub", "Div", "Pow":
		return broadcast(x, in[1].Shape)
	case "Conv", "MaxPool", "AveragePool", "ConvTranspose":
		return windowed(node, in)
	case "GlobalAveragePool":
		return []int64{x[0], x[1], 1, 1}
	case "Flatten":
		return []int64{x[0], product(x[1:])}
	case "Gemm":
		return gemm(node, x, in[1].Shape)
	case "MatMul":
		w := in[1].Shape
		batch := broadcast(x[:len(x)-2], w[:len(w)-2])
		return append(append([]int64{}, batch...), x[len(x)-2], w[len(w)-1])
	case "Transpose":
		var shape []int64
		for _, axis := range ints(node, "perm") {
			shape = append(shape, x[axis])
		}
		return shape
	case "Concat":
		return concat(int(integer(node, "axis", 0)), in)
	}
	return nil
}

func gemm(node *onnxpb.NodeProto, x, w []int64) []int64 {
	m, n := x[0], w[1]
	if integer(node, "transA", 0) == 1 {
		m = x[1]
	}
	if integer(node, "transB", 0) == 1 {
		n = w[0]
	}
	return []int64{m, n}
}

func concat(axis int, in []tensor.Info) []int64 {
	shape := append([]int64{}, in[0].Shape...)
	for _, other := range in[1:] {
		shape[axis] += other.Shape[axis]
	}
	return shape
}

// windowed is the shape after a two-dimensional convolution or pooling; pads,
// strides and kernel_shape are always given by the builder.
func windowed(node *onnxpb.NodeProto, in []tensor.Info) []int64 {
	x := in[0].Shape
	kernel, stride, pads := ints(node, "kernel_shape"), ints(node, "strides"), ints(node, "pads")
	shape := []int64{x[0], x[1], 0, 0}
	transposed := node.GetOpType() == "ConvTranspose"
	if node.GetOpType() == "Conv" {
		shape[1] = in[1].Shape[0]
	}
	if transposed {
		shape[1] = in[1].Shape[1]
	}
	for i := range 2 {
		if transposed {
			shape[2+i] = (x[2+i]-1)*stride[i] + kernel[i] - pads[i] - pads[2+i]
		} else {
			shape[2+i] = (x[2+i]+pads[i]+pads[2+i]-kernel[i])/stride[i] + 1
		}
	}
	return shape
}

// broadcast follows NumPy's rule, from the last dimension.
func broadcast(a, b []int64) []int64 {
	if len(a) < len(b) {
		a, b = b, a
	}
	shape := append([]int64{}, a...)
	for i, d := range b {
		at := len(a) - len(b) + i
		if shape[at] == 1 {
			shape[at] = d
		}
	}
	return shape
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

func attribute(node *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range node.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func ints(node *onnxpb.NodeProto, name string) []int64 { return attribute(node, name).GetInts() }

func integer(node *onnxpb.NodeProto, name string, otherwise int64) int64 {
	if a := attribute(node, name); a != nil {
		return a.GetI()
	}
	return otherwise
}
