package oippb

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

func TestTypedContents(t *testing.T) {
	type contents = InferTensorContents
	for _, test := range []struct {
		datatype string
		contents *contents
		want     []byte
	}{
		{"BOOL", &contents{BoolContents: []bool{true, false}}, []byte{1, 0}},
		{"INT8", &contents{IntContents: []int32{-1, 127}}, []byte{255, 127}},
		{"INT16", &contents{IntContents: []int32{-2, 258}}, []byte{254, 255, 2, 1}},
		{"INT32", &contents{IntContents: []int32{-1, 1}}, []byte{255, 255, 255, 255, 1, 0, 0, 0}},
		{"INT64", &contents{Int64Contents: []int64{1, -1}}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}},
		{"UINT8", &contents{UintContents: []uint32{0, 255}}, []byte{0, 255}},
		{"UINT16", &contents{UintContents: []uint32{1, 65535}}, []byte{1, 0, 255, 255}},
		{"UINT32", &contents{UintContents: []uint32{1, math.MaxUint32}}, []byte{1, 0, 0, 0, 255, 255, 255, 255}},
		{"UINT64", &contents{Uint64Contents: []uint64{1, 2}}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}},
		{"FP32", &contents{Fp32Contents: []float32{1, -2}}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
		{"FP64", &contents{Fp64Contents: []float64{1, 2}}, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40}},
		{"BYTES", &contents{BytesContents: [][]byte{[]byte("ab"), nil}}, []byte{2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0}},
	} {
		r := &ModelInferRequest{Inputs: []*ModelInferRequest_InferInputTensor{
			{Name: "x", Datatype: test.datatype, Shape: []int64{2}, Contents: test.contents},
		}}
		got, err := Inputs(r)
		if err != nil {
			t.Errorf("%s: %v", test.datatype, err)
			continue
		}
		if diff := cmp.Diff(test.want, got[0].Data); diff != "" {
			t.Errorf("%s: %s", test.datatype, diff)
		}
	}
}

func TestWhatIsWrongWithARequest(t *testing.T) {
	type in = ModelInferRequest_InferInputTensor
	x := func(datatype string, shape ...int64) *in { return &in{Name: "x", Datatype: datatype, Shape: shape} }
	typed := func(i *in, c *InferTensorContents) *in { i.Contents = c; return i }
	for _, test := range []struct {
		name   string
		inputs []*in
		raw    [][]byte
		want   string
	}{
		{"no name", []*in{{Datatype: "FP32"}}, nil, "a tensor needs a name"},
		{"no such type", []*in{x("FP31", 1)}, [][]byte{{}}, `"FP31" is no datatype`},
		{"ONNX name of a type that has another", []*in{x("float32", 1)}, [][]byte{{}}, `"float32" is no datatype`},
		{"no contents", []*in{x("FP32", 1)}, nil, `input tensor "x": `},
		{"too few raw contents", []*in{x("FP32", 1), x("FP32", 1)}, [][]byte{{0, 0, 0, 0}}, "2 inputs are described, but there are raw contents for 1"},
		{"raw and typed", []*in{typed(x("FP32", 1), &InferTensorContents{Fp32Contents: []float32{1}})}, [][]byte{{0, 0, 0, 0}}, "beside the raw ones"},
		{"twice", []*in{x("BOOL"), x("BOOL")}, [][]byte{{0}, {0}}, `input "x" is there twice`},
		{"short", []*in{x("FP16", 2, 3)}, [][]byte{{1}}, "12 bytes"},
		{"negative", []*in{x("FP16", -2)}, [][]byte{{1}}, "unknown dimension"},
		{"overflow", []*in{x("FP64", math.MaxInt64, math.MaxInt64)}, [][]byte{{1}}, "more elements than 63 bits count"},
		{"field of another type", []*in{typed(x("FP32", 1), &InferTensorContents{IntContents: []int32{1}})}, nil, "int_contents holds elements, but the tensor is FP32"},
		{"out of range", []*in{typed(x("INT8", 1), &InferTensorContents{IntContents: []int32{128}})}, nil, "element 0 is 128, outside -128 to 127"},
		{"never typed", []*in{typed(x("FP16", 1), &InferTensorContents{})}, nil, "FP16 has no typed contents"},
		{"string length cut off", []*in{x("BYTES", 1)}, [][]byte{{1, 0}}, `input tensor "x": `},
		{"string cut off", []*in{x("BYTES", 1)}, [][]byte{{9, 0, 0, 0, 'a'}}, `9 bytes`},
		{"strings missing", []*in{x("BYTES", 2)}, [][]byte{{0, 0, 0, 0}}, "2 strings"},
	} {
		_, err := Inputs(&ModelInferRequest{Inputs: test.inputs, RawInputContents: test.raw})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// Every type has a name of its own on the wire, that of the protocol where there is one.
func TestDatatypes(t *testing.T) {
	seen := map[string]bool{}
	for typ := tensor.Float32; typ <= tensor.Float4E2M1; typ++ {
		name := Datatype(typ)
		if seen[name] {
			t.Errorf("%s stands for two types", name)
		}
		seen[name] = true
		if back, err := ParseDatatype(name); err != nil || back != typ {
			t.Errorf("%s: got %v, %v", name, back, err)
		}
	}
}

func TestTensorsThereAndBack(t *testing.T) {
	want := []tensor.Tensor{
		{Info: tensor.Info{Name: "a", Type: tensor.Float32, Shape: []int64{1, 2}}, Data: make([]byte, 8)},
		{Info: tensor.Info{Name: "b", Type: tensor.Int4, Shape: []int64{3}}, Data: make([]byte, 2)},
		{Info: tensor.Info{Name: "c", Type: tensor.String, Shape: []int64{0}}},
	}
	response := &ModelInferResponse{}
	SetOutputs(response, want)
	got, err := Outputs(response)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if &got[0].Data[0] != &want[0].Data[0] {
		t.Error("the elements were copied")
	}
	infos := []tensor.Info{want[0].Info, want[1].Info, want[2].Info}
	back, err := Infos(Metadata(infos))
	if diff := cmp.Diff(infos, back); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
