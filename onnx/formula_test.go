package onnx

import (
	"testing"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// Formulas on small examples worked out by hand.
func TestFormulas(t *testing.T) {
	type shapes = [][]int64
	attrs := func(a ...*onnxpb.AttributeProto) []*onnxpb.AttributeProto { return a }
	tests := []struct {
		name    string
		op      string
		attrs   []*onnxpb.AttributeProto
		in, out shapes
		want    float64
	}{
		{"convolution", "Conv", nil, shapes{{1, 3, 8, 8}, {16, 3, 3, 3}}, shapes{{1, 16, 6, 6}}, 2 * 576 * 27},
		{"with bias", "Conv", nil, shapes{{1, 3, 8, 8}, {16, 3, 3, 3}, {16}}, shapes{{1, 16, 6, 6}}, 2*576*27 + 576},
		{"depthwise", "Conv", attrs(modelbuilder.Int("group", 8)), shapes{{1, 8, 4, 4}, {8, 1, 3, 3}}, shapes{{1, 8, 4, 4}}, 2 * 128 * 9},
		{"one dimension", "Conv", nil, shapes{{1, 2, 10}, {4, 2, 5}}, shapes{{1, 4, 6}}, 2 * 24 * 10},
		{"transposed", "ConvTranspose", nil, shapes{{1, 8, 4, 4}, {8, 2, 2, 2}}, shapes{{1, 2, 8, 8}}, 2 * 128 * 8},
		{"matrix product", "MatMul", nil, shapes{{5, 2, 3}, {3, 4}}, shapes{{5, 2, 4}}, 2 * 40 * 3},
		{"gemm", "Gemm", attrs(modelbuilder.Int("transA", 1)), shapes{{3, 2}, {3, 4}, {4}}, shapes{{2, 4}}, 2*8*3 + 8},
		{"einsum", "Einsum", attrs(modelbuilder.Str("equation", "bij, bjk -> bik")), shapes{{5, 2, 3}, {5, 3, 4}}, shapes{{5, 2, 4}}, 2 * 5 * 2 * 3 * 4},
		{"pooling", "MaxPool", attrs(modelbuilder.Ints("kernel_shape", 2, 2)), shapes{{1, 4, 8, 8}}, shapes{{1, 4, 4, 4}}, 64 * 4},
		{"global pooling", "GlobalAveragePool", nil, shapes{{1, 4, 8, 8}}, shapes{{1, 4, 1, 1}}, 256},
		{"softmax", "Softmax", nil, shapes{{2, 8}}, shapes{{2, 8}}, 5 * 16},
		{"layer normalisation", "LayerNormalization", nil, shapes{{2, 8}, {8}, {8}}, shapes{{2, 8}}, 7 * 16},
		{"attention", "Attention", nil, shapes{{1, 2, 4, 8}, {1, 2, 6, 8}, {1, 2, 6, 8}}, shapes{{1, 2, 4, 8}}, 4*4*6*16 + 5*2*4*6},
		{"attention with earlier keys", "MultiHeadAttention", attrs(modelbuilder.Int("num_heads", 2)),
			shapes{{1, 4, 16}, {1, 4, 16}, {1, 4, 16}}, shapes{{1, 4, 16}, {1, 2, 10, 8}, {1, 2, 10, 8}}, 4*4*10*16 + 5*2*4*10},
		{"attention with its projections", "Attention", attrs(modelbuilder.Int("num_heads", 2)),
			shapes{{1, 4, 12}, {12, 48}, {48}}, shapes{{1, 4, 16}}, 4*4*4*16 + 5*2*4*4 + 2*4*12*48},
		{"packed attention", "MultiHeadAttention", attrs(modelbuilder.Int("num_heads", 2)),
			shapes{{1, 4, 2, 3, 8}}, shapes{{1, 4, 16}}, 4*4*4*16 + 5*2*4*4},
		{"gru", "GRU", attrs(modelbuilder.Int("hidden_size", 4)), shapes{{7, 2, 3}, {1, 12, 3}, {1, 12, 4}}, shapes{{7, 1, 2, 4}}, 14 * (2*3*4*(3+4) + 8*3*4)},
		{"rnn", "RNN", attrs(modelbuilder.Int("hidden_size", 4)), shapes{{7, 2, 3}, {1, 4, 3}, {1, 4, 4}}, shapes{{7, 1, 2, 4}}, 14 * (2*4*(3+4) + 8*4)},
		{"4-bit weights", "MatMulNBits", attrs(modelbuilder.Int("bits", 4), modelbuilder.Int("K", 64), modelbuilder.Int("N", 8)),
			shapes{{1, 5, 64}, {8, 2, 16}, {16}}, shapes{{1, 5, 8}}, 2 * 40 * 64},
		{"integer product", "MatMulInteger", nil, shapes{{5, 3}, {3, 4}}, shapes{{5, 4}}, 2 * 20 * 3},
		{"quantised product", "QLinearMatMul", nil, shapes{{5, 3}, {}, {}, {3, 4}, {}, {}, {}, {}}, shapes{{5, 4}}, 2 * 20 * 3},
		{"quantisation", "QuantizeLinear", nil, shapes{{4, 4}, {}, {}}, shapes{{4, 4}}, 2 * 16},
		{"quantised pooling", "NhwcMaxPool", attrs(modelbuilder.Ints("kernel_shape", 3, 3)), shapes{{1, 8, 8, 4}}, shapes{{1, 6, 6, 4}}, 144 * 9},
		{"lstm", "LSTM", attrs(modelbuilder.Int("hidden_size", 4)), shapes{{7, 1, 3}, {2, 16, 3}, {2, 16, 4}}, shapes{{7, 2, 1, 4}}, 14 * (2*4*4*(3+4) + 8*4*4)},
		{"quantised convolution", "QLinearConv", nil, shapes{{1, 3, 8, 8}, {}, {}, {16, 3, 3, 3}, {}, {}, {}, {}}, shapes{{1, 16, 6, 6}}, 2 * 576 * 27},
		{"view", "Reshape", nil, shapes{{4, 4}, {1}}, shapes{{16}}, 0},
		{"unknown", "Frobnicate", nil, shapes{{4, 4}}, shapes{{16}, {2}}, 18},
		{"unknown shape", "Add", nil, shapes{nil, nil}, shapes{nil}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := view{proto: modelbuilder.Node(test.op, nil, nil, test.attrs...), in: test.in, out: test.out}
			if got := formulaOf(v.proto)(v); got != test.want {
				t.Errorf("%v FLOPs, want %v", got, test.want)
			}
		})
	}
}

// No formula fails on shapes that do not fit it.
func TestFormulasTakeAnything(t *testing.T) {
	shapes := [][][]int64{nil, {nil}, {{}}, {{-1}}, {{0, 0, 0}, {0, 0, 0}}, {{1 << 62, 1 << 62, 1 << 62}, {1 << 62, 1 << 62, 1 << 62}}}
	for _, op := range []string{"Conv", "QLinearConv", "ConvTranspose", "MatMul", "Gemm", "Einsum", "MaxPool", "ReduceSum", "LRN",
		"Softmax", "Attention", "MultiHeadAttention", "LSTM", "GRU", "RNN", "If", "Anything"} {
		for _, in := range shapes {
			for _, out := range shapes {
				v := view{proto: modelbuilder.Node(op, nil, nil, modelbuilder.Str("equation", "i,ij->...")), in: in, out: out}
				if n := count(formulaOf(v.proto)(v)); n < 0 {
					t.Errorf("%s of %v: %d FLOPs", op, in, n)
				}
			}
		}
	}
}
