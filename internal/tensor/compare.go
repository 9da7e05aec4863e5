package tensor

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// Difference is how far two tensors are apart.
type Difference struct {
	MaxAbs       float64 // largest absolute difference; +Inf where only one is a number
	LargestValue float64 // largest absolute finite value of either
	Different    int64   // elements that are not equal
}

// Compare compares two tensors of one type and shape, whatever their names. NaN
// equals NaN. Types that are not numbers differ by 0 or, anywhere, by +Inf.
func Compare(a, b Tensor) (Difference, error) {
	if a.Type != b.Type || !slices.Equal(a.Shape, b.Shape) {
		return Difference{}, fmt.Errorf("tensor %q is %s %v on one side and %s %v on the other", a.Name, a.Type, a.Shape, b.Type, b.Shape)
	}
	for _, t := range []Tensor{a, b} {
		if err := t.Check(); err != nil {
			return Difference{}, err
		}
	}
	if a.Type == String || a.Type.Bits()%8 != 0 || !isNumber(a.Type) {
		return compareBytes(a, b), nil
	}
	n, err := a.Elements()
	if err != nil {
		return Difference{}, err
	}
	var d Difference
	for i := range int(n) {
		x, err := value(a.Type, a.Data, i)
		if err != nil {
			return Difference{}, err
		}
		y, err := value(b.Type, b.Data, i)
		if err != nil {
			return Difference{}, err
		}
		d.add(x, y)
	}
	return d, nil
}

func isNumber(t Type) bool {
	_, err := value(t, make([]byte, 8), 0)
	return err == nil
}

func (d *Difference) add(x, y float64) {
	for _, v := range []float64{x, y} {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			d.LargestValue = max(d.LargestValue, math.Abs(v))
		}
	}
	if x == y || math.IsNaN(x) && math.IsNaN(y) {
		return
	}
	d.Different++
	apart := math.Abs(x - y)
	if math.IsNaN(apart) {
		apart = math.Inf(1)
	}
	d.MaxAbs = max(d.MaxAbs, apart)
}

func compareBytes(a, b Tensor) Difference {
	if bytes.Equal(a.Data, b.Data) {
		return Difference{}
	}
	return Difference{MaxAbs: math.Inf(1), Different: 1}
}
