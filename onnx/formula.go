package onnx

import (
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// view is a node as the cost formulas see it.
type view struct {
	proto   *onnxpb.NodeProto
	in, out [][]int64 // shapes by position; nil where left out or not known
	weights float64   // elements of the weights that the node and its bodies read
}

// formula counts the floating-point operations of a node, one multiply or one add
// each; integer operators count the same way.
type formula func(v view) float64

// formulaOf is the table of formulas, by operator. E is the number of elements of
// the first output, K of a kernel's or a reduced dimension, C of input channels.
//
//	Conv and its kin             2 E C/group K, and E for a bias
//	ConvTranspose                2 (elements of the input) M/group K, and E for a bias
//	MatMul, Gemm and their kin   2 E K, and E for a bias
//	Einsum                       2 (product of all dimensions)
//	pooling                      E K; global pooling and reductions: elements of the input
//	BatchNormalization           2 E (scale and shift, as folded)
//	other normalisation          7 E (mean: 1, variance: 3, scaling: 2, shift: 1); without the mean 4 E
//	LRN                          E (2 size + 3)
//	Softmax                      5 E (maximum, difference, exponential, sum, division)
//	Sigmoid, Tanh and the like   4 E; GELU and the like 8 E
//	attention                    4 (batch) (queries) (keys) (width) + 5 (scores), and 2 E K for projections inside
//	LSTM, GRU, RNN               2 G H (I + H) a step and sequence, G = 4, 3, 1 gates, and 8 G H for the gates
//	QuantizeLinear and kin       2 E
//	If                           its larger branch
//	Loop, Scan                   the body, times the steps where these are known
//	functions of the model       their nodes
//	the latter three             E, and 2 for each weight inside, where shapes inside are not known
//	Reshape and other views      0
//	anything else                E; so are operators of custom domains
func formulaOf(n *onnxpb.NodeProto) formula {
	if !costedDomain(n.GetDomain()) {
		return allOutputs
	}
	switch n.GetOpType() {
	case "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size", "Constant":
		return func(view) float64 { return 0 }
	case "Conv", "ConvInteger", "DeformConv", "FusedConv", "NhwcFusedConv":
		return func(v view) float64 { return conv(v, 1, 2) }
	case "QLinearConv":
		return func(v view) float64 { return conv(v, 3, 8) }
	case "ConvTranspose":
		return convTranspose
	case "MatMul", "MatMulInteger", "FusedMatMul", "Gemm", "FusedGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
		"QLinearMatMul", "QGemm", "MatMulNBits", "MatMulBnb4", "GemmFloat8":
		return matmul
	case "Einsum":
		return einsum
	case "MaxPool", "AveragePool", "LpPool", "QLinearAveragePool", "NhwcMaxPool":
		return func(v view) float64 { return elements(v.out, 0) * product(ints(v.proto, "kernel_shape")) }
	case "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool", "CumSum", "ArgMax", "ArgMin", "TopK",
		"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
		"ReduceLogSumExp", "ReduceSumSquare":
		return func(v view) float64 { return elements(v.in, 0) }
	case "BatchNormalization", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear":
		return perElement(2)
	case "RMSNormalization", "SimplifiedLayerNormalization", "LpNormalization":
		return perElement(4)
	case "LayerNormalization", "InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization":
		return perElement(7)
	case "SkipLayerNormalization", "EmbedLayerNormalization", "SkipSimplifiedLayerNormalization":
		return perElement(9)
	case "LRN":
		return func(v view) float64 { return elements(v.out, 0) * float64(2*integer(v.proto, "size", 1)+3) }
	case "Softmax", "LogSoftmax", "Hardmax":
		return perElement(5)
	case "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Erf", "Pow", "Sin", "Cos", "Softplus", "Elu", "Selu", "HardSwish", "Softsign":
		return perElement(4)
	case "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "Mish", "Swish":
		return perElement(8)
	case "Attention", "MultiHeadAttention", "GroupQueryAttention", "DecoderMaskedMultiHeadAttention", "QAttention":
		return attention
	case "LSTM", "DynamicQuantizeLSTM":
		return recurrent(4)
	case "GRU":
		return recurrent(3)
	case "RNN":
		return recurrent(1)
	case "If", "Loop", "Scan":
		return unknownInside
	}
	return allOutputs
}

// costedDomain says whether the operators of a domain are those of the table.
func costedDomain(domain string) bool { return standardDomain(domain) || domain == "com.microsoft" }

// unknownInside stands in for the nodes inside of a node.
func unknownInside(v view) float64 { return allOutputs(v) + 2*v.weights }

func perElement(k float64) formula {
	return func(v view) float64 { return k * elements(v.out, 0) }
}

func allOutputs(v view) float64 {
	var n float64
	for i := range v.out {
		n += elements(v.out, i)
	}
	return n
}

// conv is a convolution whose filter [M, C/group, kernel...] and bias are the
// inputs of these positions.
func conv(v view, filter, bias int) float64 {
	w := shape(v.in, filter)
	if len(w) < 3 {
		return allOutputs(v)
	}
	n := 2 * elements(v.out, 0) * product(w[1:])
	if len(shape(v.in, bias)) > 0 && v.proto.GetOpType() != "ConvInteger" {
		n += elements(v.out, 0)
	}
	return n
}

// convTranspose has a filter [C, M/group, kernel...]: every input element is
// multiplied with all of it but C.
func convTranspose(v view) float64 {
	w := shape(v.in, 1)
	if len(w) < 3 {
		return allOutputs(v)
	}
	n := 2 * elements(v.in, 0) * product(w[1:])
	if len(shape(v.in, 2)) > 0 {
		n += elements(v.out, 0)
	}
	return n
}

// matmul is a product over the last dimension of the first input, or over its
// first where Gemm or FusedMatMul transposes that.
func matmul(v view) float64 {
	x := shape(v.in, 0)
	if len(x) == 0 {
		return allOutputs(v)
	}
	k := x[len(x)-1]
	if len(x) >= 2 && integer(v.proto, "transA", 0) == 1 {
		k = x[len(x)-2]
	}
	n := 2 * elements(v.out, 0) * float64(max(k, 0))
	if len(shape(v.in, 2)) > 0 && v.proto.GetOpType() == "Gemm" {
		n += elements(v.out, 0)
	}
	return n
}

// einsum multiplies over every combination of the dimensions its letters name.
func einsum(v view) float64 {
	sizes := map[rune]int64{}
	input, axis := 0, 0
	for _, r := range string(attribute(v.proto, "equation").GetS()) {
		switch {
		case r == '-':
			n := 2.0
			for _, size := range sizes {
				n *= float64(max(size, 0))
			}
			return n
		case r == ',':
			input, axis = input+1, 0
		case r == '.': // an ellipsis: the formula does not know its dimensions
			return 2 * allOutputs(v)
		case r != ' ':
			if s := shape(v.in, input); axis < len(s) {
				sizes[r] = s[axis]
			}
			axis++
		}
	}
	return 2 * allOutputs(v)
}

// attention is softmax(Q K') V. Its output is [batch, queries, width], or [batch, heads,
// queries, width of a head] as the operator of opset 23 also has it. There are as many
// keys as the output holds that is kept for the next step, where there is one; else as
// the second input has, where that is one of activations; else as queries.
func attention(v view) float64 {
	out := shape(v.out, 0)
	if len(out) < 3 {
		return allOutputs(v)
	}
	batch, queries, width := float64(out[0]), float64(out[len(out)-2]), float64(out[len(out)-1])
	heads := float64(max(integer(v.proto, "num_heads", 1), integer(v.proto, "q_num_heads", 1)))
	if len(out) == 4 {
		heads = float64(out[1])
		width *= heads
	}
	keys := queries
	second, kept := shape(v.in, 1), shape(v.out, 1)
	switch {
	case len(kept) >= 4:
		keys = float64(kept[len(kept)-2])
	case len(second) >= 3:
		keys = float64(second[len(second)-2])
	}
	n := 4*batch*queries*keys*width + 5*batch*heads*queries*keys
	if x := shape(v.in, 0); len(second) == 2 && len(x) == 3 { // weights [input width, 3 * width] of projections inside
		n += 2 * batch * queries * float64(x[2]) * float64(second[1])
	}
	return n
}

// recurrent is a network with gates over X [steps, batch, I], W [directions, gates*H, I].
func recurrent(gates float64) formula {
	return func(v view) float64 {
		x, w := shape(v.in, 0), shape(v.in, 1)
		if len(x) != 3 || len(w) != 3 {
			return allOutputs(v)
		}
		hidden := float64(integer(v.proto, "hidden_size", int64(float64(w[1])/gates)))
		sequences := float64(x[0]) * float64(x[1]) * float64(w[0])
		return sequences * (2*gates*hidden*(float64(x[2])+hidden) + 8*gates*hidden)
	}
}

// shape is nil where there is none.
func shape(list [][]int64, i int) []int64 {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// elements is 0 where the shape is not known.
func elements(list [][]int64, i int) float64 {
	if i >= len(list) || list[i] == nil || slices.Contains(list[i], -1) {
		return 0
	}
	return product(list[i])
}

func product(dims []int64) float64 {
	n := 1.0
	for _, d := range dims {
		n *= float64(d)
	}
	return n
}

// count makes a whole number of a result, at most the largest there is.
func count(f float64) int64 {
	switch {
	case math.IsNaN(f) || f < 0:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	}
	return int64(f)
}

func attribute(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func ints(n *onnxpb.NodeProto, name string) []int64 { return attribute(n, name).GetInts() }

func integer(n *onnxpb.NodeProto, name string, otherwise int64) int64 {
	if a := attribute(n, name); a != nil {
		return a.GetI()
	}
	return otherwise
}
