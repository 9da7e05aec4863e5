package plan

import (
	"testing"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
	"github.com/edgeplan/edgeplan/onnx"
)

// What a cut counts on its way: float32 shrinks by fp16 and int8, everything else and
// everything under zstd counts whole.
func TestTravels(t *testing.T) {
	cut := onnx.Cut{Bytes: 400 + 80, Tensors: []tensor.Info{
		{Name: "x", Type: tensor.Float32, Shape: []int64{100}},
		{Name: "n", Type: tensor.Int64, Shape: []int64{10}},
	}}
	for form, want := range map[transfer.Form]int64{"": 480, transfer.None: 480, transfer.Zstd: 480, transfer.FP16: 280, transfer.Int8: 184} {
		if got := travels(cut, form); got != want {
			t.Errorf("%q: %d bytes, want %d", form, got, want)
		}
	}
}

// What a stage holds is whole, whatever travels, and garbage beside where forms change.
func TestHeldTimes(t *testing.T) {
	for form, want := range map[transfer.Form]int64{"": 1, transfer.None: 1, transfer.Zstd: 2, transfer.FP16: 4, transfer.Int8: 8} {
		if got := heldTimes(form); got != want {
			t.Errorf("%q: %d times, want %d", form, got, want)
		}
	}
}
