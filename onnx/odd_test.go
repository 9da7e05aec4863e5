package onnx

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// odd is a graph with something that few graphs have.
type odd struct {
	name            string
	inputs, outputs []*onnxpb.ValueInfoProto
	weights         []*onnxpb.TensorProto
	sparse          []*onnxpb.SparseTensorProto
	nodes           []*onnxpb.NodeProto
	opset           int64 // 17 where not given
	impossible      int   // cuts where something crosses that is no tensor
	unsized         int   // cuts where something crosses whose size is not known before
}

// oddGraphs are models that readers and slicers get wrong.
func oddGraphs() []odd {
	node, s := modelbuilder.Node, func(names ...string) []string { return names }
	floats := func(names ...string) (list []*onnxpb.ValueInfoProto) {
		for _, name := range names {
			list = append(list, modelbuilder.ValueInfo(name, tensor.Float32, 4, 4))
		}
		return list
	}
	integers := func(name string, v ...int64) *onnxpb.TensorProto {
		return modelbuilder.Tensor(name, tensor.Int64, []int64{int64(len(v))}, v)
	}
	weight := func(name string) *onnxpb.TensorProto {
		v := make([]float32, 16)
		for i := range v {
			v[i] = float32(i)/16 - 0.4
		}
		return modelbuilder.Tensor(name, tensor.Float32, []int64{4, 4}, v)
	}
	quarter := func(raw bool) *onnxpb.TensorProto { // 4-bit elements, two to a byte
		t := &onnxpb.TensorProto{Name: proto.String("q"), DataType: proto.Int32(int32(tensor.Int4)), Dims: []int64{4, 512}}
		for i := range 1024 {
			if raw {
				t.RawData = append(t.RawData, byte(37*i))
			} else {
				t.Int32Data = append(t.Int32Data, int32(byte(37*i)))
			}
		}
		return t
	}
	fourBit := func(name string, raw bool) odd {
		return odd{name: name, opset: 21, inputs: floats("x"), outputs: []*onnxpb.ValueInfoProto{modelbuilder.ValueInfo("y", tensor.Float32, 4, 512)},
			weights: []*onnxpb.TensorProto{quarter(raw), modelbuilder.Tensor("scale", tensor.Float32, nil, []float32{0.05})},
			nodes: []*onnxpb.NodeProto{node("DequantizeLinear", s("q", "scale"), s("w")), node("Relu", s("x"), s("h")),
				node("MatMul", s("h", "w"), s("k")), node("Tanh", s("k"), s("y"))}}
	}
	branch := func(output string, nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{Name: proto.String(output), Node: nodes, Output: floats(output)}
	}
	inner := node("If", s("c"), s("chosen"), modelbuilder.Graph("then_branch", branch("a", node("Add", s("h", "W"), s("a")))),
		modelbuilder.Graph("else_branch", branch("b", node("Sub", s("h", "W"), s("b")))))
	return []odd{
		fourBit("4 bits, raw", true), fourBit("4 bits, as int32_data", false),
		{name: "a weight captured two bodies deep, and read outside", inputs: append(floats("x"), modelbuilder.ValueInfo("c", tensor.Bool)), outputs: floats("y"),
			weights: []*onnxpb.TensorProto{weight("W")},
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("h")),
				node("If", s("c"), s("k"), modelbuilder.Graph("then_branch", branch("chosen", inner)), modelbuilder.Graph("else_branch", branch("n", node("Neg", s("h"), s("n"))))),
				node("Tanh", s("k"), s("l")), node("Add", s("l", "W"), s("y"))}},
		{name: "outputs that are a weight, a constant node's and an input", inputs: floats("x", "unused"), outputs: floats("W", "made", "x", "y"),
			weights: []*onnxpb.TensorProto{weight("W")},
			nodes:   []*onnxpb.NodeProto{node("Relu", s("W"), s("made")), node("Add", s("x", "made"), s("h")), node("Relu", s("h"), s("y"))}},
		{name: "inputs and outputs left out", inputs: []*onnxpb.ValueInfoProto{modelbuilder.ValueInfo("x", tensor.Float32, 3, 1, 4), modelbuilder.ValueInfo("h0", tensor.Float32, 1, 1, 1)},
			outputs: []*onnxpb.ValueInfoProto{modelbuilder.ValueInfo("y", tensor.Float32, 1, 1, 1)},
			weights: []*onnxpb.TensorProto{modelbuilder.Tensor("W", tensor.Float32, []int64{1, 4, 4}, make([]float32, 16)), modelbuilder.Tensor("R", tensor.Float32, []int64{1, 4, 1}, []float32{1, 2, 3, 4})},
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("r")), node("LSTM", s("r", "W", "R", "", "", "h0"), s("", "last", ""), modelbuilder.Int("hidden_size", 1)),
				node("Tanh", s("last"), s("y"))}},
		{name: "a sparse weight", inputs: floats("x"), outputs: floats("y"),
			sparse: []*onnxpb.SparseTensorProto{{Dims: []int64{4, 4}, Indices: integers("where", 0, 5, 9),
				Values: modelbuilder.Tensor("W", tensor.Float32, []int64{3}, []float32{1, 2, 3})}},
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("h")), node("MatMul", s("h", "W"), s("k")), node("Tanh", s("k"), s("y"))}},
		{name: "no elements", inputs: append(floats("x"), modelbuilder.ValueInfo("none", tensor.Float32, 0, 4)), outputs: floats("y"),
			weights: []*onnxpb.TensorProto{{Name: proto.String("nothing"), DataType: proto.Int32(int32(tensor.Float32)), Dims: []int64{0, 4}}},
			nodes:   []*onnxpb.NodeProto{node("Relu", s("x"), s("h")), node("Concat", s("h", "none", "nothing"), s("k"), modelbuilder.Int("axis", 0)), node("Tanh", s("k"), s("y"))}},
		{name: "a sequence in between", inputs: floats("x"), outputs: floats("y"), impossible: 1,
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("h")), node("SequenceConstruct", s("h", "x"), s("both")),
				node("SequenceAt", s("both", "first"), s("k")), node("Tanh", s("k"), s("y"))},
			weights: []*onnxpb.TensorProto{modelbuilder.Tensor("first", tensor.Int64, nil, []int64{0})}, unsized: 1},
		{name: "an optional in between", inputs: floats("x"), outputs: floats("y"), impossible: 1,
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("h")), node("Optional", s("h"), s("o")), node("OptionalGetElement", s("o"), s("k")), node("Tanh", s("k"), s("y"))}},
		{name: "a size that the data decides", inputs: floats("x"), outputs: []*onnxpb.ValueInfoProto{modelbuilder.ValueInfo("y", tensor.Int64)}, unsized: 1,
			nodes: []*onnxpb.NodeProto{node("Relu", s("x"), s("h")), node("NonZero", s("h"), s("k")), node("Size", s("k"), s("y"))}},
	}
}

func (o odd) model() *onnxpb.ModelProto {
	p := &onnxpb.ModelProto{
		IrVersion: proto.Int64(10), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(max(o.opset, 17))}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("odd"), Input: o.inputs, Output: o.outputs, Initializer: o.weights, SparseInitializer: o.sparse, Node: o.nodes,
		},
	}
	return p
}

// Odd graphs are cut like others, where a tensor crosses; elsewhere the cut says why not.
func TestOddGraphs(t *testing.T) {
	for _, o := range oddGraphs() {
		t.Run(o.name, func(t *testing.T) {
			c := mustLoad(t, writeProto(t, o.model()), Options{Shapes: engine(t)})
			got := sweepModel(t, c, everything)
			t.Log(got)
			if o.impossible > 0 {
				dir := filepath.Join(t.TempDir(), "out")
				_, err := c.WriteSlices(t.Context(), dir, []int{2})
				wantError(t, err, "no cut at 2", "is not a tensor", "the nearest that can be is 1, or 3")
				if _, err := os.Stat(dir); err == nil {
					t.Error("the folder was made all the same")
				}
			}
			if got.uncuttable != o.impossible || got.unsized != o.unsized {
				t.Errorf("%d cuts are impossible and %d carry what has no size, want %d and %d", got.uncuttable, got.unsized, o.impossible, o.unsized)
			}
		})
	}
}
