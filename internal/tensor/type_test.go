package tensor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Every type with its number in onnx.proto, its name, its name in the Open
// Inference Protocol, and the bits of an element.
var allTypes = []struct {
	number         int32
	t              tensor.Type
	name, datatype string
	bits           int
}{
	{1, tensor.Float32, "float32", "FP32", 32},
	{2, tensor.Uint8, "uint8", "UINT8", 8},
	{3, tensor.Int8, "int8", "INT8", 8},
	{4, tensor.Uint16, "uint16", "UINT16", 16},
	{5, tensor.Int16, "int16", "INT16", 16},
	{6, tensor.Int32, "int32", "INT32", 32},
	{7, tensor.Int64, "int64", "INT64", 64},
	{8, tensor.String, "string", "BYTES", 0},
	{9, tensor.Bool, "bool", "BOOL", 8},
	{10, tensor.Float16, "float16", "FP16", 16},
	{11, tensor.Float64, "float64", "FP64", 64},
	{12, tensor.Uint32, "uint32", "UINT32", 32},
	{13, tensor.Uint64, "uint64", "UINT64", 64},
	{14, tensor.Complex64, "complex64", "", 64},
	{15, tensor.Complex128, "complex128", "", 128},
	{16, tensor.BFloat16, "bfloat16", "BF16", 16},
	{17, tensor.Float8E4M3FN, "float8e4m3fn", "", 8},
	{18, tensor.Float8E4M3FNUZ, "float8e4m3fnuz", "", 8},
	{19, tensor.Float8E5M2, "float8e5m2", "", 8},
	{20, tensor.Float8E5M2FNUZ, "float8e5m2fnuz", "", 8},
	{21, tensor.Uint4, "uint4", "", 4},
	{22, tensor.Int4, "int4", "", 4},
	{23, tensor.Float4E2M1, "float4e2m1", "", 4},
}

func TestTypes(t *testing.T) {
	for _, want := range allTypes {
		t.Run(want.name, func(t *testing.T) {
			if int32(want.t) != want.number {
				t.Errorf("number %d, want %d", want.t, want.number)
			}
			if got := want.t.String(); got != want.name {
				t.Errorf("name %q", got)
			}
			if got := want.t.Bits(); got != want.bits {
				t.Errorf("%d bits, want %d", got, want.bits)
			}
			if got := want.t.Datatype(); got != want.datatype {
				t.Errorf("datatype %q, want %q", got, want.datatype)
			}
			if got, err := tensor.ParseType(want.name); got != want.t || err != nil {
				t.Errorf("parsed as %s, %v", got, err)
			}
			if got, err := tensor.ParseDatatype(want.datatype); want.datatype != "" && (got != want.t || err != nil) {
				t.Errorf("datatype parsed as %s, %v", got, err)
			}
		})
	}
}

// In JSON a type is its name, both ways.
func TestTypeText(t *testing.T) {
	for _, want := range allTypes {
		text, err := json.Marshal(want.t)
		if err != nil || string(text) != `"`+want.name+`"` {
			t.Errorf("%s is written as %s, %v", want.name, text, err)
		}
		var got tensor.Type
		if err := json.Unmarshal(text, &got); got != want.t || err != nil {
			t.Errorf("%s is read as %s, %v", text, got, err)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	if _, err := json.Marshal(tensor.Undefined); err == nil || !strings.Contains(err.Error(), "element type 0 has no name") {
		t.Errorf("writing no type: %v", err)
	}
	if got := tensor.Type(99).String(); got != "type(99)" {
		t.Errorf("String of an unknown type: %q", got)
	}
	kept := tensor.Int8
	if err := json.Unmarshal([]byte(`"float31"`), &kept); err == nil || !strings.Contains(err.Error(), `"float31"`) || kept != tensor.Int8 {
		t.Errorf("reading an unknown type: %v, %s", err, kept)
	}
	for _, name := range []string{"", "FP31", "fp32"} {
		if _, err := tensor.ParseDatatype(name); err == nil {
			t.Errorf("datatype %q is known", name)
		}
	}
}
