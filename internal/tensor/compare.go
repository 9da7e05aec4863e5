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
// equals NaN, and 0 equals -0. Elements that are no real numbers (strings, complex
// numbers, packed types) are equal, or +Inf apart.
func Compare(a, b Tensor) (Difference, error) {
	if a.Type != b.Type || !slices.Equal(a.Shape, b.Shape) {
		return Difference{}, fmt.Errorf("tensor %q is %s %v on one side and %s %v on the other", a.Name, a.Type, a.Shape, b.Type, b.Shape)
	}
	for _, t := range []Tensor{a, b} {
		if err := t.Check(); err != nil {
			return Difference{}, err
		}
	}
	n, err := a.Elements()
	if err != nil {
		return Difference{}, err
	}
	switch {
	case a.Type == String:
		return compareStrings(a, b)
	case a.Type == Int64 || a.Type == Uint64:
		return compareWide(a, b, int(n)), nil
	case isNumber(a.Type):
		return compareNumbers(a, b, int(n))
	}
	return compareBits(a, b, int(n)), nil
}

func isNumber(t Type) bool {
	_, err := value(t, make([]byte, 8), 0)
	return err == nil
}

func compareNumbers(a, b Tensor, n int) (Difference, error) {
	var d Difference
	for i := range n {
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

// compareWide compares integers that a float64 does not hold exactly.
func compareWide(a, b Tensor, n int) Difference {
	var d Difference
	for i := range n {
		x, y := wide(a.Data, i), wide(b.Data, i)
		apart := x - y // modulo 2^64, which is where the distance fits
		if a.Type == Int64 && int64(x) < int64(y) || a.Type == Uint64 && x < y {
			apart = y - x
		}
		for _, v := range []uint64{x, y} {
			size := float64(v)
			if a.Type == Int64 {
				size = math.Abs(float64(int64(v)))
			}
			d.LargestValue = max(d.LargestValue, size)
		}
		d.MaxAbs = max(d.MaxAbs, float64(apart))
		if x != y {
			d.Different++
		}
	}
	return d
}

func compareStrings(a, b Tensor) (Difference, error) {
	x, err := a.Strings()
	if err != nil {
		return Difference{}, err
	}
	y, err := b.Strings()
	if err != nil {
		return Difference{}, err
	}
	var d Difference
	for i := range x {
		d.addUnlike(x[i] != y[i])
	}
	return d, nil
}

// compareBits compares elements as they lie in memory, two to a byte for types
// of 4 bits.
func compareBits(a, b Tensor, n int) Difference {
	var d Difference
	width := a.Type.Bits() / 8
	for i := range n {
		if width == 0 {
			shift := 4 * (i % 2)
			d.addUnlike((a.Data[i/2]^b.Data[i/2])>>shift&0xf != 0)
			continue
		}
		d.addUnlike(!bytes.Equal(a.Data[i*width:(i+1)*width], b.Data[i*width:(i+1)*width]))
	}
	return d
}

func (d *Difference) addUnlike(unlike bool) {
	if unlike {
		d.MaxAbs = math.Inf(1)
		d.Different++
	}
}
