package tensor_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

func TestCompare(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	f64 := func(v ...float64) tensor.Tensor { return of(tensor.Float64, []int64{int64(len(v))}, v) }
	i64 := func(v ...int64) tensor.Tensor { return of(tensor.Int64, []int64{int64(len(v))}, v) }
	u64 := func(v ...uint64) tensor.Tensor { return of(tensor.Uint64, []int64{int64(len(v))}, v) }
	half := func(v ...uint16) tensor.Tensor { return of(tensor.Float16, []int64{int64(len(v))}, v) }
	raw := func(t tensor.Type, n int64, v ...byte) tensor.Tensor { return of(t, []int64{n}, v) }
	tests := map[string]struct {
		a, b tensor.Tensor
		want tensor.Difference
	}{
		"equal":                 {f64(1, -5), f64(1, -5), tensor.Difference{LargestValue: 5}},
		"apart":                 {f64(1, -5, 2), f64(1.5, -5, 4), tensor.Difference{MaxAbs: 2, LargestValue: 5, Different: 2}},
		"both not a number":     {f64(nan, 1), f64(math.Float64frombits(0x7ff8000000000123), 1), tensor.Difference{LargestValue: 1}},
		"one not a number":      {f64(nan, 1), f64(3, 1), tensor.Difference{MaxAbs: inf, LargestValue: 3, Different: 1}},
		"infinite alike":        {f64(inf, -inf, 1), f64(inf, -inf, 1), tensor.Difference{LargestValue: 1}},
		"infinite, other sign":  {f64(inf), f64(-inf), tensor.Difference{MaxAbs: inf, Different: 1}},
		"one infinite":          {f64(inf), f64(7), tensor.Difference{MaxAbs: inf, LargestValue: 7, Different: 1}},
		"not a number/infinite": {f64(inf), f64(nan), tensor.Difference{MaxAbs: inf, Different: 1}},
		"zeros of both signs":   {f64(0), f64(math.Copysign(0, -1)), tensor.Difference{}},
		"no elements":           {f64(), f64(), tensor.Difference{}},

		// Next to each other beyond 53 bits, where a float64 holds every 256th.
		"int64 one apart":   {i64(1 << 60), i64(1<<60 + 1), tensor.Difference{MaxAbs: 1, LargestValue: 1 << 60, Different: 1}},
		"int64 ends":        {i64(math.MinInt64), i64(math.MaxInt64), tensor.Difference{MaxAbs: 1 << 64, LargestValue: 1 << 63, Different: 1}},
		"int64 around zero": {i64(-2, 4), i64(3, 4), tensor.Difference{MaxAbs: 5, LargestValue: 4, Different: 1}},
		"uint64 one apart":  {u64(math.MaxUint64), u64(math.MaxUint64 - 1), tensor.Difference{MaxAbs: 1, LargestValue: 1 << 64, Different: 1}},
		"int32":             {of(tensor.Int32, []int64{2}, []int32{-7, 2}), of(tensor.Int32, []int64{2}, []int32{3, 2}), tensor.Difference{MaxAbs: 10, LargestValue: 7, Different: 1}},
		"int8":              {of(tensor.Int8, nil, []int8{-128}), of(tensor.Int8, nil, []int8{127}), tensor.Difference{MaxAbs: 255, LargestValue: 128, Different: 1}},
		"uint8":             {of(tensor.Uint8, nil, []uint8{200}), of(tensor.Uint8, nil, []uint8{1}), tensor.Difference{MaxAbs: 199, LargestValue: 200, Different: 1}},
		"bool":              {raw(tensor.Bool, 2, 0, 1), raw(tensor.Bool, 2, 1, 1), tensor.Difference{MaxAbs: 1, LargestValue: 1, Different: 1}},
		"float32":           {of(tensor.Float32, nil, []float32{1.5}), of(tensor.Float32, nil, []float32{-1.5}), tensor.Difference{MaxAbs: 3, LargestValue: 1.5, Different: 1}},
		"float16":           {half(0x3c00, 0x7c00), half(0xbc00, 0x7c00), tensor.Difference{MaxAbs: 2, LargestValue: 1, Different: 1}},
		"bfloat16":          {of(tensor.BFloat16, nil, []uint16{0x4049}), of(tensor.BFloat16, nil, []uint16{0x4040}), tensor.Difference{MaxAbs: 0.140625, LargestValue: 3.140625, Different: 1}},

		// What is no real number is equal or not.
		"strings equal":   {words([]int64{2}, "a", "bc"), words([]int64{2}, "a", "bc"), tensor.Difference{}},
		"strings differ":  {words([]int64{3}, "a", "bc", "d"), words([]int64{3}, "ab", "c", "d"), tensor.Difference{MaxAbs: inf, Different: 2}},
		"complex differ":  {of(tensor.Complex64, []int64{2}, []complex64{1, 2i}), of(tensor.Complex64, []int64{2}, []complex64{1, 3i}), tensor.Difference{MaxAbs: inf, Different: 1}},
		"4 bits":          {raw(tensor.Int4, 4, 0x21, 0x43), raw(tensor.Int4, 4, 0x31, 0x34), tensor.Difference{MaxAbs: inf, Different: 3}},
		"4 bits, padding": {raw(tensor.Int4, 3, 0x21, 0x43), raw(tensor.Int4, 3, 0x21, 0xf3), tensor.Difference{}},
		"float8":          {raw(tensor.Float8E5M2, 2, 1, 2), raw(tensor.Float8E5M2, 2, 1, 3), tensor.Difference{MaxAbs: inf, Different: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tensor.Compare(test.a, test.b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			back, err := tensor.Compare(test.b, test.a)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, back); diff != "" {
				t.Errorf("the other way round: %s", diff)
			}
		})
	}
}

func TestCompareRefuses(t *testing.T) {
	x := of(tensor.Float32, []int64{2}, []float32{1, 2})
	short := x
	short.Data = x.Data[:7]
	for name, y := range map[string]tensor.Tensor{
		"type":  of(tensor.Int32, []int64{2}, []int32{1, 2}),
		"size":  of(tensor.Float32, []int64{3}, []float32{1, 2, 3}),
		"rank":  of(tensor.Float32, []int64{2, 1}, []float32{1, 2}),
		"short": short,
	} {
		if d, err := tensor.Compare(x, y); err == nil {
			t.Errorf("%s: no error, but %v", name, d)
		}
	}
	_, err := tensor.Compare(x, of(tensor.Int32, []int64{2}, []int32{1, 2}))
	wantError(t, err, "float32 [2] on one side and int32 [2] on the other")
}

// A shape that is nil and one that is empty are both a scalar's; names do not count.
func TestCompareScalars(t *testing.T) {
	a, b := of(tensor.Float32, nil, []float32{1}), of(tensor.Float32, []int64{}, []float32{1})
	b.Name = "y"
	if d, err := tensor.Compare(a, b); err != nil || d.Different != 0 {
		t.Errorf("%v, %v", d, err)
	}
}

// Compare sees no difference exactly where the values are the same, and its
// largest difference is one that occurs.
func TestCompareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "n")
		a := rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "a")
		b := rapid.SliceOfN(rapid.OneOf(rapid.Float32(), rapid.SampledFrom(append(a, 0))), n, n).Draw(t, "b")
		got, err := tensor.Compare(of(tensor.Float32, []int64{int64(n)}, a), of(tensor.Float32, []int64{int64(n)}, b))
		if err != nil {
			t.Fatal(err)
		}
		var want tensor.Difference
		for i := range n {
			x, y := float64(a[i]), float64(b[i])
			if x != y {
				want.Different++
			}
			want.MaxAbs = max(want.MaxAbs, math.Abs(x-y))
			want.LargestValue = max(want.LargestValue, math.Abs(x), math.Abs(y))
		}
		if math.IsInf(want.LargestValue, 0) || math.IsNaN(want.LargestValue) || math.IsNaN(want.MaxAbs) {
			return // the table above has these
		}
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
