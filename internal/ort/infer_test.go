package ort_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Outputs need no types in the file: the engine finds them.
func TestInferShapes(t *testing.T) {
	model := graph{
		nodes: list(
			node("MatMul", "product", "x", "w"),
			node("Shape", "shape", "product"),
			node("ReduceSum", "sum", "product"),
			node("NonZero", "places", "product"),
			node("Reshape", "anything", "product", "sizes"),
			node("SequenceConstruct", "sequence", "x", "x"),
		),
		inputs: list(
			modelbuilder.ValueInfo("x", tensor.Float32, "batch", 3),
			modelbuilder.ValueInfo("w", tensor.Float32, 3, 5), // a weight, turned into an input
			modelbuilder.ValueInfo("sizes", tensor.Int64, "rank"),
		),
		outputs: list(untyped("product"), untyped("shape"), untyped("sum"), untyped("places"), untyped("anything"), untyped("sequence")),
	}
	model.nodes[2].Attribute = list(modelbuilder.Int("keepdims", 0))
	got, err := open(t).InferShapes(model.bytes(t), false)
	if err != nil {
		t.Fatal(err)
	}
	want := []tensor.Info{
		{Name: "product", Type: tensor.Float32, Shape: []int64{tensor.Unknown, 5}},
		{Name: "shape", Type: tensor.Int64, Shape: []int64{2}},
		{Name: "sum", Type: tensor.Float32, Shape: []int64{}},
		{Name: "places", Type: tensor.Int64, Shape: []int64{2, tensor.Unknown}},
		{Name: "anything", Type: tensor.Float32, Shape: []int64{tensor.Unknown}}, // unknown rank
		{Name: "sequence"}, // no tensor
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInferShapesOfBadModel(t *testing.T) {
	if _, err := open(t).InferShapes([]byte("no model"), false); err == nil || !strings.Contains(err.Error(), "protobuf") {
		t.Errorf("error %v", err)
	}
}

// A tensor of unknown rank may have any shape.
func TestUnknownRank(t *testing.T) {
	anything := &onnxpb.ValueInfoProto{Name: proto.String("x"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(tensor.Float32))},
	}}}
	session := load(t, graph{nodes: list(node("Neg", "y", "x")), inputs: list(anything), outputs: list(untyped("y"))}.bytes(t))
	for _, shape := range [][]int64{{}, {1}, {1, 1, 1}} {
		got, err := session.Run(list(floats("x", shape, 7)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list(floats("y", shape, -7)), got); diff != "" {
			t.Error(diff)
		}
	}
}

// What is no tensor is described as such, and refused with its own word.
func TestSequences(t *testing.T) {
	session := load(t, graph{
		nodes:   list(node("SequenceConstruct", "s", "x", "x"), node("SequenceLength", "n", "s")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 1)),
		outputs: list(untyped("s"), untyped("n")),
	}.bytes(t))
	x := list(floats("x", []int64{1}, 1))
	for _, outputs := range [][]string{nil, {"s"}} {
		if _, err := session.Run(x, outputs); err == nil || !strings.Contains(err.Error(), `output "s" is a sequence`) {
			t.Errorf("error %v", err)
		}
	}
	got, err := session.Run(x, []string{"n"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list(ints("n", []int64{}, 2)), got); diff != "" {
		t.Error(diff)
	}
}

// A shape that is made of computed constants is known once these are computed.
func TestInferShapesByFolding(t *testing.T) {
	reshape := graph{
		nodes: list(
			node("Mul", "size", "two", "two"),
			node("Not", "turned", "yes"),
			node("If", "chosen", "turned"),
			node("Reshape", "y", "x", "chosen"),
		),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 2, 6)),
		outputs: list(untyped("y")),
		weights: list(
			modelbuilder.Tensor("two", tensor.Int64, []int64{1}, []int64{2}),
			modelbuilder.Tensor("three", tensor.Int64, []int64{2}, []int64{3, 4}),
			modelbuilder.Tensor("yes", tensor.Bool, []int64{}, []bool{true}),
		),
	}
	branch := func(value string) *onnxpb.GraphProto {
		out := "of_" + value
		return &onnxpb.GraphProto{
			Name: proto.String(value), Node: list(node("Identity", out, value)), Output: list(untyped(out)),
		}
	}
	reshape.nodes[2].Attribute = list(modelbuilder.Graph("then_branch", branch("size")), modelbuilder.Graph("else_branch", branch("three")))
	for fold, want := range map[bool][]int64{false: {tensor.Unknown}, true: {3, 4}} {
		got, err := open(t).InferShapes(reshape.bytes(t), fold)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list(tensor.Info{Name: "y", Type: tensor.Float32, Shape: want}), got); diff != "" {
			t.Errorf("fold %v (-want +got):\n%s", fold, diff)
		}
	}
}
