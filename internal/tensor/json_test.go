package tensor_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

func TestEncodeJSON(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	scores := of(tensor.Float32, []int64{2, 3}, []float32{0.1, -1.5, 1e10, nan, inf, -inf})
	scores.Name = `sc"ores` + "\n"
	label := words([]int64{2}, "a \"cat\"", "ü<")
	label.Name = "label"
	got, err := tensor.EncodeJSON([]tensor.Tensor{scores, label, of(tensor.Int64, nil, []int64{math.MinInt64})})
	if err != nil {
		t.Fatal(err)
	}
	want := `[
  {"name": "sc\"ores\n", "type": "float32", "shape": [2,3], "data": [0.1, -1.5, 1e+10, "NaN", "+Inf", "-Inf"]},
  {"name": "label", "type": "string", "shape": [2], "data": ["a \"cat\"", "ü\u003c"]},
  {"name": "x", "type": "int64", "shape": [], "data": [-9223372036854775808]}
]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// Every type of number at its ends, as JSON has it.
func TestEncodeJSONNumbers(t *testing.T) {
	tests := map[string]struct {
		x    tensor.Tensor
		want string
	}{
		"bool":     {of(tensor.Bool, []int64{2}, []byte{0, 1}), `[false,true]`},
		"int8":     {of(tensor.Int8, []int64{2}, []int8{-128, 127}), `[-128,127]`},
		"uint8":    {of(tensor.Uint8, []int64{2}, []uint8{0, 255}), `[0,255]`},
		"int16":    {of(tensor.Int16, []int64{2}, []int16{-32768, 32767}), `[-32768,32767]`},
		"uint16":   {of(tensor.Uint16, []int64{1}, []uint16{65535}), `[65535]`},
		"int32":    {of(tensor.Int32, []int64{2}, []int32{math.MinInt32, math.MaxInt32}), `[-2147483648,2147483647]`},
		"uint32":   {of(tensor.Uint32, []int64{1}, []uint32{math.MaxUint32}), `[4294967295]`},
		"int64":    {of(tensor.Int64, []int64{1}, []int64{math.MaxInt64}), `[9223372036854775807]`},
		"uint64":   {of(tensor.Uint64, []int64{1}, []uint64{math.MaxUint64}), `[18446744073709551615]`},
		"float64":  {of(tensor.Float64, []int64{2}, []float64{0.1, math.SmallestNonzeroFloat64}), `[0.1,5e-324]`},
		"float32":  {of(tensor.Float32, []int64{2}, []float32{math.MaxFloat32, float32(math.Copysign(0, -1))}), `[3.4028235e+38,-0]`},
		"bfloat16": {of(tensor.BFloat16, []int64{4}, []uint16{0x3f80, 0xc040, 0x7f80, 0x7fc0}), `[1,-3,"+Inf","NaN"]`},
		"nothing":  {of(tensor.Float32, []int64{0, 2}, nil), `[]`},
		// Bit patterns of IEEE 754 binary16: ends of the normal and subnormal
		// ranges, one third, and what is no number.
		"float16": {of(tensor.Float16, []int64{12}, []uint16{
			0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3555, 0x3c00, 0x3c01, 0xc000, 0x7bff, 0xfc00, 0x7e00,
		}), `[0,-0,5.960464477539063e-08,6.097555160522461e-05,6.103515625e-05,0.333251953125,1,1.0009765625,-2,65504,"-Inf","NaN"]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := decode(t, test.x)
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type fataler interface{ Fatal(...any) }

// decode encodes a tensor and gives its data in JSON, without spaces.
func decode(t fataler, x tensor.Tensor) json.RawMessage {
	text, err := tensor.EncodeJSON([]tensor.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name  string            `json:"name"`
		Type  tensor.Type       `json:"type"`
		Shape []int64           `json:"shape"`
		Data  []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name != x.Name || list[0].Type != x.Type || list[0].Shape == nil || !cmp.Equal(list[0].Shape, append([]int64{}, x.Shape...)) {
		t.Fatal("the description reads back as", list)
	}
	data, err := json.Marshal(list[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// numbers are the elements of a tensor of finite numbers or booleans.
func numbers(t fataler, x tensor.Tensor) []float64 {
	var list []any
	if err := json.Unmarshal(decode(t, x), &list); err != nil {
		t.Fatal(err)
	}
	values := make([]float64, len(list))
	for i, element := range list {
		switch element := element.(type) {
		case float64:
			values[i] = element
		case bool:
			if element {
				values[i] = 1
			}
		default:
			t.Fatal("no number:", element)
		}
	}
	return values
}

// Numbers read back bit by bit.
func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floats := rapid.SliceOf(rapid.Float32()).Draw(t, "float32")
		for i, v := range numbers(t, of(tensor.Float32, []int64{int64(len(floats))}, floats)) {
			if math.Float32bits(float32(v)) != math.Float32bits(floats[i]) {
				t.Errorf("%g reads back as %g", floats[i], v)
			}
		}
		doubles := rapid.SliceOf(rapid.Float64()).Draw(t, "float64")
		for i, v := range numbers(t, of(tensor.Float64, []int64{int64(len(doubles))}, doubles)) {
			if math.Float64bits(v) != math.Float64bits(doubles[i]) {
				t.Errorf("%g reads back as %g", doubles[i], v)
			}
		}
		wide := rapid.SliceOf(rapid.Uint64()).Draw(t, "uint64")
		var list []json.Number
		if err := json.Unmarshal(decode(t, of(tensor.Uint64, []int64{int64(len(wide))}, wide)), &list); err != nil {
			t.Fatal(err)
		}
		for i, v := range list {
			if n, err := strconv.ParseUint(v.String(), 10, 64); n != wide[i] || err != nil {
				t.Errorf("%d reads back as %s", wide[i], v)
			}
		}
	})
}

// Any text and any name is valid JSON, and valid UTF-8 reads back.
func TestJSONOfStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.String()).Draw(t, "strings")
		x := words([]int64{int64(len(want))}, want...)
		x.Name = rapid.String().Draw(t, "name")
		var got []string
		if err := json.Unmarshal(decode(t, x), &got); err != nil {
			t.Fatal(err)
		}
		if len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("%q reads back as %q", want, got)
		}
	})
}

func TestEncodeJSONRefuses(t *testing.T) {
	_, err := tensor.EncodeJSON([]tensor.Tensor{of(tensor.Float32, []int64{2}, []float32{1})})
	wantError(t, err, `tensor "x"`, "takes 8 bytes")
	_, err = tensor.EncodeJSON([]tensor.Tensor{of(tensor.Complex64, nil, []complex64{1})})
	wantError(t, err, `tensor "x"`, "complex64 are not read as numbers")
	if text, err := tensor.EncodeJSON(nil); err != nil || !json.Valid(text) {
		t.Errorf("no tensors: %s, %v", text, err)
	}
}
