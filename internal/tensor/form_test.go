package tensor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccepts(t *testing.T) {
	form := func(typ Type, shape ...int64) Info { return Info{Name: "x", Type: typ, Shape: shape} }
	for _, test := range []struct {
		name   string
		wanted Info
		got    Info
		err    string // "" when it is accepted
	}{
		{"the same", form(Float32, 1, 3), form(Float32, 1, 3), ""},
		{"scalars", form(Float32), form(Float32), ""},
		{"any size", form(Float32, Unknown, 3), form(Float32, 7, 3), ""},
		{"any shape", form(Float32, Unknown), form(Float32, 2, 3, 4), ""},
		{"any shape, a scalar", form(Float32, Unknown), form(Float32), ""},
		{"another size", form(Float32, 1, 3), form(Float32, 1, 4), `tensor "x" is float32[1 4], but must be float32[1 3]`},
		{"another rank", form(Float32, Unknown, Unknown), form(Float32, 3), `is float32[3], but must be float32[-1 -1]`},
		{"another type", form(Float32, Unknown), form(Int8, 3), `is int8[3], but must be float32[-1]`},
		{"unknown is not known", form(Float32, 3), form(Float32, Unknown), `is float32[-1]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.wanted.Accepts(test.got)
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestZeros(t *testing.T) {
	for _, test := range []struct {
		info  Info
		shape []int64
		bytes int
	}{
		{Info{Name: "x", Type: Float32, Shape: []int64{2, Unknown, 3}}, []int64{2, 1, 3}, 24},
		{Info{Name: "x", Type: Int64, Shape: []int64{}}, []int64{}, 8},
		{Info{Name: "x", Type: Int4, Shape: []int64{3}}, []int64{3}, 2},
		{Info{Name: "x", Type: String, Shape: []int64{2}}, []int64{2}, 8},
	} {
		zeros, err := test.info.Zeros()
		if err != nil || zeros.Check() != nil || len(zeros.Data) != test.bytes || !cmp.Equal(zeros.Shape, test.shape) {
			t.Errorf("%v: got %v, %v", test.info, zeros, err)
		}
		if zeros.Type != test.info.Type || zeros.Name != "x" {
			t.Errorf("%v: got %v", test.info, zeros.Info)
		}
	}
	if _, err := (Info{Name: "x", Shape: []int64{1}}).Zeros(); err == nil {
		t.Error("a tensor without a type has zeros")
	}
	open := Info{Name: "x", Type: Uint8, Shape: []int64{Unknown}}
	if _, err := open.Zeros(); err != nil || open.Shape[0] != Unknown {
		t.Errorf("the form itself changed: %v, %v", open, err)
	}
}
