package ort_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

func TestInputsGoByName(t *testing.T) {
	session := load(t, subtraction(t))
	a, b := floats("a", []int64{2, 2}, 5, 6, 7, 8), floats("b", []int64{2, 2}, 1, 1, 1, 9)
	want := []tensor.Tensor{floats("y", []int64{2, 2}, 4, 5, 6, -1)}
	for _, inputs := range [][]tensor.Tensor{{a, b}, {b, a}} {
		got, err := session.Run(inputs, []string{"y"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestInfos(t *testing.T) {
	session := load(t, subtraction(t))
	info := func(name string) tensor.Info {
		return tensor.Info{Name: name, Type: tensor.Float32, Shape: []int64{tensor.Unknown, 2}}
	}
	if diff := cmp.Diff([]tensor.Info{info("a"), info("b")}, session.Inputs()); diff != "" {
		t.Error(diff)
	}
	session.Outputs()[0].Shape[1] = 7 // a copy: the session is not touched
	if diff := cmp.Diff([]tensor.Info{info("y")}, session.Outputs()); diff != "" {
		t.Error(diff)
	}
}

// Every type goes through the engine and comes back with the same bytes.
func TestTypes(t *testing.T) {
	data := make([]byte, 12*8)
	for i := range data {
		data[i] = byte(i*7 + 1)
	}
	for _, element := range []tensor.Type{
		tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Bool,
		tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
		tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ,
	} {
		t.Run(element.String(), func(t *testing.T) {
			in := tensor.Tensor{Info: tensor.Info{Name: "x", Type: element, Shape: []int64{3, 4}}, Data: data[:12*element.Bits()/8]}
			if element == tensor.Bool {
				in.Data = []byte{0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1}
			}
			got := through(t, in)
			if got.Type != element || !bytes.Equal(got.Data, in.Data) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Two 4-bit elements share a byte, the first in the low half; what no element
// fills is zero.
func TestPackedTypes(t *testing.T) {
	session := load(t, graph{
		nodes:   list(node("DequantizeLinear", "number", "x", "scale"), node("QuantizeLinear", "y", "number", "scale", "zero")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Int4, 3)),
		outputs: list(untyped("number"), untyped("y")),
		weights: list(
			modelbuilder.Tensor("scale", tensor.Float32, []int64{}, []float32{0.5}),
			modelbuilder.Tensor("zero", tensor.Int4, []int64{}, []int8{0}),
		),
	}.bytes(t))
	x := tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.Int4, Shape: []int64{3}}, Data: []byte{0xf1, 0x07}}
	got, err := session.Run(list(x), nil)
	if err != nil {
		t.Fatal(err)
	}
	y := x
	y.Name = "y"
	if diff := cmp.Diff(list(floats("number", []int64{3}, 0.5, -0.5, 3.5), y), got); diff != "" {
		t.Error(diff)
	}
}

// through sends a tensor through an Identity node of its type and rank.
func through(t *testing.T, in tensor.Tensor) tensor.Tensor {
	t.Helper()
	dims := make([]any, len(in.Shape))
	for i := range dims {
		dims[i] = fmt.Sprint("d", i)
	}
	session := load(t, graph{
		nodes:   list(node("Identity", "y", "x")),
		inputs:  list(modelbuilder.ValueInfo("x", in.Type, dims...)),
		outputs: list(modelbuilder.ValueInfo("y", in.Type, dims...)),
	}.bytes(t))
	got, err := session.Run([]tensor.Tensor{in}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func TestShapes(t *testing.T) {
	tests := map[string]tensor.Tensor{
		"scalar":              floats("x", []int64{}, 42),
		"no element":          floats("x", []int64{3, 0, 2}),
		"strings":             texts("x", []int64{2, 2}, "", "two\x00zeros\x00", "grüße", strings.Repeat("long ", 1000)),
		"scalar string":       texts("x", []int64{}, "one"),
		"no string":           texts("x", []int64{0}),
		"only empty strings":  texts("x", []int64{2}, "", ""),
		"odd address":         {Info: floats("x", []int64{2}).Info, Data: append([]byte{0}, floats("", nil, 1, 2).Data...)[1:]},
		"one byte, odd place": {Info: tensor.Info{Name: "x", Type: tensor.Uint8, Shape: []int64{1}}, Data: []byte{1, 2}[1:]},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			want := in
			want.Name = "y"
			if diff := cmp.Diff(want, through(t, in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutputShapeFromData(t *testing.T) {
	session := load(t, graph{
		nodes:   list(node("NonZero", "y", "x")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 4)),
		outputs: list(modelbuilder.ValueInfo("y", tensor.Int64, 1, "n")),
	}.bytes(t))
	for _, test := range []struct{ in, want tensor.Tensor }{
		{floats("x", []int64{4}, 0, 3, 0, 5), ints("y", []int64{1, 2}, 1, 3)},
		{floats("x", []int64{4}, 0, 0, 0, 0), ints("y", []int64{1, 0})},
	} {
		got, err := session.Run([]tensor.Tensor{test.in}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]tensor.Tensor{test.want}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Outputs are asked for by name, in any order and number, inner ones not.
func TestOutputs(t *testing.T) {
	session := load(t, graph{
		nodes:   list(node("Neg", "n", "x"), node("Abs", "a", "n"), node("Exp", "e", "a")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 1)),
		outputs: list(untyped("n"), untyped("a")),
	}.bytes(t))
	x := []tensor.Tensor{floats("x", []int64{1}, 3)}
	n, a := floats("n", []int64{1}, -3), floats("a", []int64{1}, 3)
	for _, want := range [][]tensor.Tensor{{n}, {a}, {a, n}} {
		var names []string
		for _, w := range want {
			names = append(names, w.Name)
		}
		got, err := session.Run(x, names)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", names, diff)
		}
	}
	if got, err := session.Run(x, nil); err != nil || len(got) != 2 || got[0].Name != "n" {
		t.Errorf("all outputs: %v, %v", got, err)
	}
	for name, want := range map[string]string{"e": `no output "e": it gives ["n" "a"]`, "": `no output ""`} {
		if _, err := session.Run(x, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", name, err)
		}
	}
	if _, err := session.Run(x, []string{"n", "n"}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("error %v", err)
	}
}

func TestBadInputs(t *testing.T) {
	session := load(t, subtraction(t))
	a, b := floats("a", []int64{1, 2}, 1, 2), floats("b", []int64{1, 2}, 1, 2)
	tests := map[string]struct {
		inputs []tensor.Tensor
		want   string
	}{
		"none":         {nil, `input "a" is missing: the model takes ["a" "b"]`},
		"one missing":  {list(a), `input "b" is missing`},
		"twice":        {list(a, a, b), `input "a" is given twice`},
		"unknown name": {list(a, b, floats("c", nil, 1)), `no input "c": it takes ["a" "b"]`},
		"type":         {list(a, ints("b", []int64{1, 2}, 1, 2)), `"b" has elements of int64, but the model takes float32`},
		"size":         {list(a, floats("b", []int64{1, 3}, 1, 2, 3)), `"b" has the shape [1 3], but the model takes [-1 2]`},
		"rank":         {list(a, floats("b", []int64{2}, 1, 2)), `"b" has the shape [2]`},
		"negative":     {list(a, floats("b", []int64{-1, 2}, 1, 2)), "unknown dimension"},
		"too short":    {list(a, floats("b", []int64{1, 2}, 1)), "takes 8 bytes, but there are 4"},
		"too long":     {list(a, floats("b", []int64{1, 2}, 1, 2, 3)), "takes 8 bytes, but there are 12"},
		"absurd":       {list(a, floats("b", []int64{1 << 62, 2}, 1)), "63 bits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := session.Run(test.inputs, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// What the engine refuses while it runs comes back as its own error, and the
// session still works.
func TestRunFails(t *testing.T) {
	session := load(t, graph{
		nodes:   list(node("Gather", "y", "x", "i")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 2), modelbuilder.ValueInfo("i", tensor.Int64, 1)),
		outputs: list(untyped("y")),
	}.bytes(t))
	x := floats("x", []int64{2}, 1, 2)
	_, err := session.Run(list(x, ints("i", []int64{1}, 9)), nil)
	var status *ort.Error
	if !errors.As(err, &status) || status.Code != ort.InvalidArgument || !strings.Contains(err.Error(), "idx=9") {
		t.Errorf("error %v", err)
	}
	got, err := session.Run(list(x, ints("i", []int64{1}, 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list(floats("y", []int64{1}, 2)), got); diff != "" {
		t.Error(diff)
	}
}

// Results are the caller's own: neither inputs nor later runs reach them.
func TestResultsAreCopies(t *testing.T) {
	session := load(t, subtraction(t))
	a, b := floats("a", []int64{1, 2}, 3, 4), floats("b", []int64{1, 2}, 1, 1)
	first, err := session.Run(list(a, b), nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(a.Data, floats("", nil, 30, 40).Data)
	if _, err := session.Run(list(a, b), nil); err != nil {
		t.Fatal(err)
	}
	session.Close()
	if diff := cmp.Diff(list(floats("y", []int64{1, 2}, 2, 3)), first); diff != "" {
		t.Error(diff)
	}
}

// Outputs come to lie where they are told to, whatever lay there before.
func TestOutputsInGivenMemory(t *testing.T) {
	session := load(t, subtraction(t))
	memory := bytes.Repeat([]byte{99}, 8)
	session.Allocate(func(n int) []byte { return memory[:n] })
	for _, v := range []float32{3, 5} {
		got, err := session.Run(list(floats("a", []int64{1, 2}, v, 4), floats("b", []int64{1, 2}, 1, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := floats("y", []int64{1, 2}, v-1, 3); &got[0].Data[0] != &memory[0] || !bytes.Equal(memory, want.Data) {
			t.Errorf("got %v", got)
		}
	}
}

// The cost of a call, apart from computing.
func BenchmarkRun(b *testing.B) {
	session := load(b, subtraction(b))
	inputs := list(floats("a", []int64{1, 2}, 3, 4), floats("b", []int64{1, 2}, 1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.Run(inputs, nil); err != nil {
			b.Fatal(err)
		}
	}
}
