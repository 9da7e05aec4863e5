package onnx

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Operator sets 7 to 24 and IR versions 3 to 13 are read, shaped and sliced. In IR
// version 3 initializers are inputs of the graph too.
func TestVersions(t *testing.T) {
	var want []byte
	for opset := int64(7); opset <= 24; opset++ {
		for ir := int64(3); ir <= 13; ir++ {
			t.Run(fmt.Sprintf("opset %d, IR %d", opset, ir), func(t *testing.T) {
				c := mustLoad(t, versioned(t, opset, ir), Options{Shapes: engine(t)})
				if len(c.Inputs) != 1 {
					t.Fatalf("inputs %v", c.Inputs)
				}
				p := &pieces{chain: c, dir: t.TempDir(), level: ort.Disabled, inputs: randomInputs(t, c.Inputs, 1)}
				got := p.runAll(t, []int{2})[c.Outputs[0].Name].Data
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Error("another result")
				}
			})
		}
	}
}

// versioned is a small residual block.
func versioned(t *testing.T, opset, ir int64) string {
	t.Helper()
	b := modelbuilder.New("versioned", 1)
	b.Opset(opset)
	x := b.Input("x", tensor.Float32, 1, 8, 4, 4)
	b.Output(b.Node("Add", []string{b.Node("Relu", []string{b.Conv(x, 8, 3, 1)}), x}))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	p := m.Proto()
	p.IrVersion = proto.Int64(ir)
	for _, w := range p.Graph.Initializer {
		if ir == 3 {
			p.Graph.Input = append(p.Graph.Input, valueInfo(tensor.Info{Name: w.GetName(), Type: tensor.Type(w.GetDataType()), Shape: w.Dims}))
		}
	}
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	put(t, path, raw)
	return path
}
