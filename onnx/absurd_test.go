package onnx

import (
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Weights of absurd size that nodes make are never made in order to know their shapes:
// such a model is described, or refused, in little memory.
func TestAbsurdConstants(t *testing.T) {
	const huge = 1 << 42
	longs := func(name string, v ...int64) *onnxpb.TensorProto {
		return modelbuilder.Tensor(name, tensor.Int64, []int64{int64(len(v))}, v)
	}
	scalar := func(name string, v int64) *onnxpb.TensorProto {
		return modelbuilder.Tensor(name, tensor.Int64, nil, []int64{v})
	}
	tests := map[string]struct {
		node    *onnxpb.NodeProto
		weights []*onnxpb.TensorProto
	}{
		"ConstantOfShape": {modelbuilder.Node("ConstantOfShape", []string{"sizes"}, []string{"c"}), []*onnxpb.TensorProto{longs("sizes", huge)}},
		"negative":        {modelbuilder.Node("ConstantOfShape", []string{"sizes"}, []string{"c"}), []*onnxpb.TensorProto{longs("sizes", -4)}},
		"overflow":        {modelbuilder.Node("ConstantOfShape", []string{"sizes"}, []string{"c"}), []*onnxpb.TensorProto{longs("sizes", huge, huge)}},
		"Range": {modelbuilder.Node("Range", []string{"from", "to", "step"}, []string{"c"}),
			[]*onnxpb.TensorProto{scalar("from", 0), scalar("to", huge), scalar("step", 1)}},
		"Expand": {modelbuilder.Node("Expand", []string{"one", "sizes"}, []string{"c"}),
			[]*onnxpb.TensorProto{longs("one", 1), longs("sizes", huge)}},
		"Tile": {modelbuilder.Node("Tile", []string{"one", "sizes"}, []string{"c"}),
			[]*onnxpb.TensorProto{longs("one", 1), longs("sizes", huge)}},
		"largest": {modelbuilder.Node("Range", []string{"from", "to", "step"}, []string{"c"}),
			[]*onnxpb.TensorProto{scalar("from", math.MinInt64), scalar("to", math.MaxInt64), scalar("step", 1)}},
		"computed": {modelbuilder.Node("Range", []string{"from", "product", "step"}, []string{"c"}),
			[]*onnxpb.TensorProto{scalar("from", 0), scalar("factor", 1<<21), scalar("step", 1)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := tiny()
			p.Graph.ValueInfo = nil
			if name == "computed" {
				p.Graph.Node = append(p.Graph.Node, modelbuilder.Node("Mul", []string{"factor", "factor"}, []string{"product"}))
			}
			size := modelbuilder.Node("Size", []string{"c"}, []string{"n"})
			cast := modelbuilder.Node("Cast", []string{"n"}, []string{"f"}, modelbuilder.Int("to", int64(tensor.Float32)))
			add := modelbuilder.Node("Mul", []string{"x", "f"}, []string{"z"})
			p.Graph.Node = append(p.Graph.Node, test.node, size, cast, add)
			p.Graph.Output = append(p.Graph.Output, modelbuilder.ValueInfo("z", tensor.Float32, 4))
			p.Graph.Initializer = append(p.Graph.Initializer, test.weights...)
			raw, err := proto.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "absurd.onnx")
			put(t, path, raw)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = Load(t.Context(), path, Options{Shapes: engine(t)})
			runtime.ReadMemStats(&after)
			t.Logf("error: %v", err)
			if err != nil {
				wantError(t, err, path)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
		})
	}
}
