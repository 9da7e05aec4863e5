package tensor

import (
	"fmt"
	"slices"
)

// AnyShape tells whether the shape says nothing, not even the number of
// dimensions. A single unknown dimension stands for that, as the engine and the
// model reader give it, so one dimension of unknown size takes any shape too.
func (i Info) AnyShape() bool { return len(i.Shape) == 1 && i.Shape[0] == Unknown }

// Accepts says why a tensor with the form of got is none of type and shape i, or
// nil. An unknown dimension takes any size; names are not compared.
func (i Info) Accepts(got Info) error {
	fits := i.AnyShape() || slices.EqualFunc(got.Shape, i.Shape,
		func(g, w int64) bool { return g == w || w == Unknown })
	if got.Type != i.Type || !fits {
		return fmt.Errorf("tensor %q is %s%v, but must be %s%v", got.Name, got.Type, got.Shape, i.Type, i.Shape)
	}
	return nil
}

// Zeros is a tensor of zeros, or of empty strings, of this form. Unknown
// dimensions count as 1. It fails where Bytes does.
func (i Info) Zeros() (Tensor, error) {
	t := Tensor{Info: Info{Name: i.Name, Type: i.Type, Shape: slices.Clone(i.Shape)}}
	for d, size := range t.Shape {
		if size == Unknown {
			t.Shape[d] = 1
		}
	}
	sized := t.Info
	if sized.Type == String {
		sized.Type = Uint32 // an empty string is a length of 4 bytes, 0
	}
	size, err := sized.Bytes()
	if err != nil {
		return Tensor{}, err
	}
	t.Data = make([]byte, size)
	return t, nil
}
