package onnx

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Why a cut that carries float16 is not exact: the engine has no float16 arithmetic on
// this architecture, so it computes in float32 from one end of a model to the other and
// rounds at the ends only, with optimisation disabled too. A whole model of float16
// therefore gives the bytes of the same model in float32 between two casts; and a cut
// gives those of two such models, which round in between as float16 asks for. No way of
// cutting gives the whole's bytes, unless float32 travels, at twice the size.
func TestHalfIsRoundedAtTheEndsOnly(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("another architecture may have float16 arithmetic")
	}
	ops := []string{"Exp", "Sqrt", "Tanh", "Exp"}
	half := halfChain(t, ops, false)
	in := tensor.Tensor{Info: half.Inputs[0]}
	for i := range 64 {
		in.Data = binary.LittleEndian.AppendUint16(in.Data, uint16(0x2800+0x97*i))
	}
	run := func(c *Chain, in tensor.Tensor) tensor.Tensor {
		in.Name = c.Inputs[0].Name
		return runFile(t, c.Path, ort.Disabled, []tensor.Tensor{in}, names(c.Outputs))[0]
	}
	whole := run(half, in)
	if !bytes.Equal(whole.Data, run(halfChain(t, ops, true), in).Data) {
		t.Error("a model of float16 is not one of float32 between two casts")
	}
	rounded := 0
	for b := 1; b < len(ops); b++ {
		p := &pieces{chain: half, dir: t.TempDir(), level: ort.Disabled, inputs: []tensor.Tensor{in}}
		cut := p.runAll(t, []int{b})[half.Outputs[0].Name]
		between := run(halfChain(t, ops[b:], true), run(halfChain(t, ops[:b], true), in))
		if !bytes.Equal(cut.Data, between.Data) {
			t.Errorf("cut at %d: the slices are not two models of float32 between casts", b)
		}
		if !bytes.Equal(cut.Data, whole.Data) {
			rounded++
		}
	}
	t.Logf("%d of %d cuts differ from the whole", rounded, len(ops)-1)
}

// halfChain applies operators to a float16 tensor, in float16, or in float32 between casts.
func halfChain(t *testing.T, ops []string, casts bool) *Chain {
	t.Helper()
	b := modelbuilder.New("half", 1)
	x := b.Input("x", tensor.Float16, 64)
	last := "y"
	if casts {
		x = b.Node("Cast", []string{x}, modelbuilder.Int("to", int64(tensor.Float32)))
	}
	for _, op := range ops {
		x = b.Node(op, []string{x})
	}
	if casts {
		x = b.Node("Cast", []string{x}, modelbuilder.Int("to", int64(tensor.Float16)))
	}
	b.Rename(x, last)
	b.Describe(last, tensor.Float16, 64)
	b.Output(last)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return mustLoad(t, write(t, m), Options{Shapes: engine(t)})
}
