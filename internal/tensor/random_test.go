package tensor_test

import (
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// The bytes that seed 1 gives on every machine and with every version of Go: a
// recorded answer stays comparable.
func TestRandomIsTheSameEverywhere(t *testing.T) {
	tests := map[tensor.Type]string{
		tensor.Float32:  "9c31fcbe983cddbe407ed8bc004caebc",
		tensor.Float64:  "8013d011cd18eebf4c0b215f943cddbf5a9eeff80f3ce93f5631a872a18dea3f",
		tensor.Float16:  "86bb4fb74f3aa33a",
		tensor.BFloat16: "fcbeddbed8bcaebc",
		tensor.Bool:     "00010101",
		tensor.Int8:     "04050607",
		tensor.Int16:    "0400050006000700",
		tensor.Int32:    "04000000050000000600000007000000",
		tensor.Int64:    "0400000000000000050000000000000006000000000000000700000000000000",
		tensor.Uint8:    "04050607",
		tensor.Uint16:   "0400050006000700",
		tensor.Uint32:   "04000000050000000600000007000000",
		tensor.Uint64:   "0400000000000000050000000000000006000000000000000700000000000000",
	}
	for element, want := range tests {
		got, err := tensor.Random(tensor.Info{Name: "x", Type: element, Shape: []int64{4}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if text := hex.EncodeToString(got.Data); text != want {
			t.Errorf("%s: %s, want %s", element, text, want)
		}
	}
}

func TestRandomDependsOnSeedAndName(t *testing.T) {
	draw := func(name string, seed uint64) string {
		x, err := tensor.Random(tensor.Info{Name: name, Type: tensor.Float32, Shape: []int64{8}}, seed)
		if err != nil {
			t.Fatal(err)
		}
		return string(x.Data)
	}
	first, again := draw("x", 1), draw("x", 1)
	if first != again {
		t.Error("the same seed gives another tensor")
	}
	if first == draw("x", 2) || first == draw("y", 1) {
		t.Error("another seed or name gives the same tensor")
	}
}

// Floats lie in [-1, 1) and integers in [0, 10), and both use that room.
func TestRandomRange(t *testing.T) {
	lowest := map[tensor.Type]float64{tensor.Float16: -1, tensor.BFloat16: -1, tensor.Float32: -1, tensor.Float64: -1}
	highest := map[tensor.Type]float64{tensor.Float16: 1, tensor.BFloat16: 1, tensor.Float32: 1, tensor.Float64: 1, tensor.Bool: 1}
	for _, want := range allTypes {
		info := tensor.Info{Name: "x", Type: want.t, Shape: []int64{20, 100}}
		x, err := tensor.Random(info, 3)
		if err != nil {
			wantError(t, err, `tensor "x"`, "give a file")
			continue
		}
		if err := x.Check(); err != nil {
			t.Fatal(err)
		}
		top, ok := highest[want.t]
		if !ok {
			top = 9
		}
		low, high := extremes(t, x)
		if low < lowest[want.t] || high > top || low > lowest[want.t]+0.01 || high < top-0.01 {
			t.Errorf("%s: values from %g to %g, want all of %g to %g", want.t, low, high, lowest[want.t], top)
		}
	}
}

// extremes are the smallest and the largest of a tensor's numbers.
func extremes(t *testing.T, x tensor.Tensor) (low, high float64) {
	low, high = 2, -2
	for _, v := range numbers(t, x) {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

func TestRandomRefuses(t *testing.T) {
	for want, info := range map[string]tensor.Info{
		"give a file":       {Name: "x", Type: tensor.String, Shape: []int64{1}},
		"unknown dimension": {Name: "x", Type: tensor.Float32, Shape: []int64{tensor.Unknown}},
		"are more than":     {Name: "x", Type: tensor.Float32, Shape: []int64{1 << 20, 1 << 20}},
		"63 bits":           {Name: "x", Type: tensor.Float32, Shape: []int64{1 << 40, 1 << 40}},
	} {
		_, err := tensor.Random(info, 1)
		wantError(t, err, `tensor "x"`, want)
	}
}

// Whatever is drawn is whole, and has the description that was asked for.
func TestRandomIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info := npyTensors().Draw(t, "like").Info
		x, err := tensor.Random(info, rapid.Uint64().Draw(t, "seed"))
		if info.Type == tensor.Complex64 || info.Type == tensor.Complex128 {
			if err == nil {
				t.Error("complex numbers are drawn")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Check(); err != nil {
			t.Error(err)
		}
	})
}
