package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

const limit = 1 << 20

func floats(values ...float32) tensor.Tensor {
	data, _ := binary.Append(nil, binary.LittleEndian, values)
	return tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{int64(len(values))}}, Data: data}
}

// Without loss means any bytes of any type; and every form keeps what is no float32.
func TestLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]tensor.Type{tensor.Float32, tensor.Float16, tensor.Float64, tensor.Int64, tensor.Uint8, tensor.Bool, tensor.Int4, tensor.Complex64}).Draw(t, "type")
		info := tensor.Info{Name: "x", Type: typ, Shape: []int64{rapid.Int64Range(0, 300).Draw(t, "n")}}
		zeros, err := info.Zeros()
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.SliceOfN(rapid.Byte(), 1, 16).Draw(t, "bytes")
		for i := range zeros.Data {
			zeros.Data[i] = seed[i%len(seed)]
		}
		for _, f := range []Form{None, Zstd, FP16, Int8} {
			if typ == tensor.Float32 && f.Tolerance() > 0 {
				continue
			}
			sent := f.Encode(zeros)
			got, err := f.Decode(info, sent, limit)
			if err != nil || !bytes.Equal(got, zeros.Data) {
				t.Fatalf("%s: %v, %v instead of %v", f, err, got, zeros.Data)
			}
			if most, err := f.Bytes(info); err != nil || int64(len(sent)) > most {
				t.Fatalf("%s: %d bytes, planned %d (%v)", f, len(sent), most, err)
			}
		}
	})
}

// The error of one way is half a step: of float16 2^-11 of the value, of int8 1/254 of
// the largest.
func TestErrorOfOneWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := floats(rapid.SliceOfN(rapid.Float32Range(-1000, 1000), 1, 200).Draw(t, "x")...)
		largest := 0.0
		for i := range x.Shape[0] {
			largest = max(largest, math.Abs(at(x.Data, int(i))))
		}
		for _, f := range []Form{FP16, Int8} {
			sent := f.Encode(x)
			if want, _ := f.Bytes(x.Info); int64(len(sent)) != want {
				t.Fatalf("%s: %d bytes, planned %d", f, len(sent), want)
			}
			got, err := f.Decode(x.Info, sent, limit)
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(x.Shape[0]) {
				allowed := math.Abs(at(x.Data, i))/(1<<11) + 1.0/(1<<25)
				if f == Int8 {
					allowed = largest / 254 * 1.0001
				}
				if off := math.Abs(at(got, i) - at(x.Data, i)); len(sent) < len(x.Data) && off > allowed {
					t.Fatalf("%s: %g became %g, off by %g, allowed %g", f, at(x.Data, i), at(got, i), off, allowed)
				}
			}
		}
	})
}

func at(data []byte, i int) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
}

// Values that a form has no place for travel as they are.
func TestValuesBeyond(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		form   Form
		x      tensor.Tensor
		shrunk bool
	}{
		{FP16, floats(1, 65505), false}, {FP16, floats(1, -65505), false}, {FP16, floats(1, inf, nan), true},
		{Int8, floats(1, 2, 3, inf), false}, {Int8, floats(1, 2, 3, nan), false}, {Int8, floats(0, 0, 0, 0), true}, {Int8, floats(3), false},
	} {
		sent := test.form.Encode(test.x)
		if shrunk := len(sent) < len(test.x.Data); shrunk != test.shrunk {
			t.Errorf("%s of %v: shrunk is %v", test.form, test.x.Data, shrunk)
		}
		if !test.shrunk && !bytes.Equal(sent, test.x.Data) {
			t.Errorf("%s changed %v", test.form, test.x.Data)
		}
	}
}

// The bytes of strings do not follow from the shape, so they travel as they are.
func TestStrings(t *testing.T) {
	x := tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.String, Shape: []int64{1}}, Data: tensor.AppendString(nil, string(make([]byte, 1000)))}
	for _, f := range []Form{None, Zstd, FP16, Int8} {
		got, err := f.Decode(x.Info, f.Encode(x), limit)
		if err != nil || !bytes.Equal(got, x.Data) {
			t.Errorf("%s: %d bytes, %v", f, len(got), err)
		}
	}
}

func TestDamaged(t *testing.T) {
	x := floats(make([]float32, 100)...)
	bomb := tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{limit}}
	for _, f := range []Form{Zstd, FP16, Int8} {
		if _, err := f.Decode(x.Info, []byte{1, 2, 3}, limit); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", f, err)
		}
		if _, err := f.Decode(bomb, []byte{1, 2, 3}, limit); err == nil {
			t.Errorf("%s made %v", f, bomb.Shape)
		}
	}
	if _, err := Zstd.Decode(floats(1, 2).Info, Zstd.Encode(x), limit); !errors.Is(err, errDamaged) {
		t.Errorf("more bytes than the shape has: %v", err)
	}
	if _, err := Form("int2").Decode(x.Info, []byte{1}, limit); err == nil {
		t.Error("an unknown form was read")
	}
}

func FuzzDecode(f *testing.F) {
	x := floats(1, 2, 3, 4, 5, 6, 7, 8)
	for i, form := range []Form{Zstd, FP16, Int8} {
		f.Add(i, int64(8), form.Encode(x))
	}
	f.Fuzz(func(t *testing.T, form int, n int64, data []byte) {
		info := tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{n}}
		got, err := []Form{Zstd, FP16, Int8}[uint(form)%3].Decode(info, data, limit)
		if plain, sizeErr := info.Bytes(); err == nil && sizeErr == nil && int64(len(got)) != plain {
			t.Errorf("%d bytes instead of %d", len(got), plain)
		}
	})
}
