package tensor_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// of makes a tensor named x from fixed-size values.
func of(t tensor.Type, shape []int64, values any) tensor.Tensor {
	var data bytes.Buffer
	if values != nil {
		if err := binary.Write(&data, binary.LittleEndian, values); err != nil {
			panic(err) // a mistake in a test
		}
	}
	return tensor.Tensor{Info: tensor.Info{Name: "x", Type: t, Shape: shape}, Data: data.Bytes()}
}

// words makes a tensor of strings named x.
func words(shape []int64, list ...string) tensor.Tensor {
	x := tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.String, Shape: shape}}
	for _, word := range list {
		x.Data = tensor.AppendString(x.Data, word)
	}
	return x
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestElements(t *testing.T) {
	const tooMany = "more elements than 63 bits count"
	tests := map[string]struct {
		shape []int64
		want  int64
		fails string
	}{
		"scalar":                     {nil, 1, ""},
		"vector":                     {[]int64{7}, 7, ""},
		"matrix":                     {[]int64{7, 3}, 21, ""},
		"empty":                      {[]int64{7, 0, 3}, 0, ""},
		"most":                       {[]int64{math.MaxInt64}, math.MaxInt64, ""},
		"one too many":               {[]int64{1 << 32, 1 << 31}, 0, tooMany},
		"product wraps to 0":         {[]int64{1 << 32, 1 << 32}, 0, tooMany},
		"just wraps":                 {[]int64{math.MaxInt64, 3}, 0, tooMany},
		"empty in spite of the rest": {[]int64{1 << 62, 1 << 62, 0}, 0, ""},
		"unknown":                    {[]int64{2, tensor.Unknown}, 0, "unknown dimension"},
		"empty and unknown":          {[]int64{0, tensor.Unknown}, 0, "unknown dimension"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tensor.Info{Name: "x", Type: tensor.Uint8, Shape: test.shape}.Elements()
			if test.fails != "" {
				wantError(t, err, `tensor "x"`, test.fails)
			} else if got != test.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	tests := map[string]struct {
		t     tensor.Type
		shape []int64
		want  int64
		fails string
	}{
		"scalar":        {tensor.Float32, nil, 4, ""},
		"complex":       {tensor.Complex128, []int64{3}, 48, ""},
		"4 bits, even":  {tensor.Int4, []int64{4}, 2, ""},
		"4 bits, odd":   {tensor.Uint4, []int64{5}, 3, ""},
		"4 bits, empty": {tensor.Uint4, []int64{0}, 0, ""},
		"4 bits, most":  {tensor.Uint4, []int64{math.MaxInt64}, 1 << 62, ""},
		"most":          {tensor.Int64, []int64{1<<60 - 1}, 1<<63 - 8, ""},
		"one too many":  {tensor.Int64, []int64{1 << 60}, 0, "more bytes than 63 bits count"},
		"wraps to 0":    {tensor.Complex128, []int64{1 << 60}, 0, "more bytes than 63 bits count"},
		"strings":       {tensor.String, []int64{2}, 0, "string have no fixed size"},
		"no type":       {tensor.Undefined, []int64{2}, 0, "no fixed size"},
		"unknown":       {tensor.Int64, []int64{tensor.Unknown}, 0, "unknown dimension"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tensor.Info{Name: "x", Type: test.t, Shape: test.shape}.Bytes()
			if test.fails != "" {
				wantError(t, err, `tensor "x"`, test.fails)
			} else if got != test.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	raw := func(t tensor.Type, n int, shape ...int64) tensor.Tensor { return of(t, shape, make([]byte, n)) }
	cut := words([]int64{2}, "a", "b")
	cut.Data = cut.Data[:len(cut.Data)-1]
	tests := map[string]struct {
		x     tensor.Tensor
		fails string
	}{
		"whole":                 {raw(tensor.Float32, 24, 2, 3), ""},
		"scalar":                {raw(tensor.Float64, 8), ""},
		"empty":                 {raw(tensor.Float64, 0, 2, 0), ""},
		"packed":                {raw(tensor.Int4, 2, 3), ""},
		"short":                 {raw(tensor.Float32, 23, 2, 3), "takes 24 bytes, but there are 23"},
		"long":                  {raw(tensor.Float32, 25, 2, 3), "takes 24 bytes, but there are 25"},
		"empty with bytes":      {raw(tensor.Float32, 4, 0), "takes 0 bytes, but there are 4"},
		"unknown dimension":     {raw(tensor.Float32, 4, tensor.Unknown), "unknown dimension"},
		"no type":               {raw(tensor.Undefined, 0, 0), "no fixed size"},
		"strings":               {words([]int64{2, 2}, "", "b", "\x00", "déjà"), ""},
		"no strings":            {words([]int64{0}), ""},
		"scalar string":         {words(nil, "one"), ""},
		"too few strings":       {words([]int64{3}, "a", "b"), "takes 3 strings, but there are 2"},
		"too many strings":      {words([]int64{1}, "a", "b"), "takes 1 strings, but there are 2"},
		"string cut off":        {cut, "string 1: it is 1 bytes long, but 0 are left"},
		"length cut off":        {raw(tensor.String, 3, 1), "string 0: its 4-byte length is cut off"},
		"length beyond the end": {of(tensor.String, []int64{1}, []uint32{math.MaxUint32}), "4294967295 bytes long, but 0 are left"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.x.Check()
			if test.fails != "" {
				wantError(t, err, `tensor "x"`, test.fails)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	want := []string{"one", "", "three\x00", "vier – fünf"}
	got, err := words([]int64{2, 2}, want...).Strings()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = of(tensor.Uint8, []int64{4}, make([]byte, 4)).Strings()
	wantError(t, err, "not strings")
	_, err = words([]int64{5}, want...).Strings()
	wantError(t, err, "5 strings")
}

func TestAppendString(t *testing.T) {
	got := tensor.AppendString([]byte{9}, "hé")
	if want := []byte{9, 3, 0, 0, 0, 'h', 0xc3, 0xa9}; !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}
