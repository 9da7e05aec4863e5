package modelbuilder

import (
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Scan goes through the steps of a sequence with a state; its body reads a weight and a
// tensor from outside, and has a weight of its own.
func Scan(seed uint64) (*Model, error) {
	b := New("scan", seed)
	x := b.Input("x", tensor.Float32, 6, 4, 32)
	start := b.Input("start", tensor.Float32, 4, 32)
	w := b.Uniform("outer", -0.2, 0.2, 32, 32)
	added := b.Node("Tanh", []string{start})
	steps := b.Node("Relu", []string{x})
	own := New("", seed+1)
	own.Weight("inner", 32, 32, 32)
	body := &onnxpb.GraphProto{
		Name:        proto.String("body"),
		Initializer: []*onnxpb.TensorProto{own.weights[0].proto()},
		Input: []*onnxpb.ValueInfoProto{
			ValueInfo("state", tensor.Float32, 4, 32), ValueInfo("step", tensor.Float32, 4, 32),
		},
		Node: []*onnxpb.NodeProto{
			Node("MatMul", []string{"state", w}, []string{"turned"}),
			Node("MatMul", []string{"step", "inner"}, []string{"taken"}),
			Node("Sum", []string{"turned", "taken", added}, []string{"sum"}),
			Node("Tanh", []string{"sum"}, []string{"state_out"}),
			Node("Neg", []string{"state_out"}, []string{"collected"}),
		},
		Output: []*onnxpb.ValueInfoProto{
			ValueInfo("state_out", tensor.Float32, 4, 32), ValueInfo("collected", tensor.Float32, 4, 32),
		},
	}
	out := b.NodeN("Scan", []string{start, steps}, 2, Graph("body", body), Int("num_scan_inputs", 1))
	b.Describe(out[0], tensor.Float32, 4, 32)
	b.Describe(out[1], tensor.Float32, 6, 4, 32)
	b.Output(b.Node("Relu", []string{out[1]}), b.Node("Add", []string{out[0], added}))
	return b.Model()
}
