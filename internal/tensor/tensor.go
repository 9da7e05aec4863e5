// Package tensor holds the one description of a tensor that the model reader,
// the engine, the pipeline and the command line share: an element type, a
// shape, and the elements as little-endian bytes in row-major order.
package tensor

import (
	"fmt"
	"math"
	"math/bits"
)

// Type is an element type, numbered as TensorProto.DataType of the ONNX
// specification so that no table stands between a file and the engine.
type Type int32

// The element types of the ONNX specification (onnx.proto, TensorProto.DataType).
const (
	Undefined      Type = 0
	Float32        Type = 1
	Uint8          Type = 2
	Int8           Type = 3
	Uint16         Type = 4
	Int16          Type = 5
	Int32          Type = 6
	Int64          Type = 7
	String         Type = 8
	Bool           Type = 9
	Float16        Type = 10
	Float64        Type = 11
	Uint32         Type = 12
	Uint64         Type = 13
	Complex64      Type = 14
	Complex128     Type = 15
	BFloat16       Type = 16
	Float8E4M3FN   Type = 17
	Float8E4M3FNUZ Type = 18
	Float8E5M2     Type = 19
	Float8E5M2FNUZ Type = 20
	Uint4          Type = 21
	Int4           Type = 22
	Float4E2M1     Type = 23
	Float8E8M0     Type = 24
)

// properties of one element type.
type properties struct {
	name     string // as NumPy spells it where NumPy has the type
	datatype string // as the Open Inference Protocol spells it; "" where it has none
	bits     int    // 0 when elements have no fixed size
}

var types = map[Type]properties{
	Float32:        {"float32", "FP32", 32},
	Uint8:          {"uint8", "UINT8", 8},
	Int8:           {"int8", "INT8", 8},
	Uint16:         {"uint16", "UINT16", 16},
	Int16:          {"int16", "INT16", 16},
	Int32:          {"int32", "INT32", 32},
	Int64:          {"int64", "INT64", 64},
	String:         {"string", "BYTES", 0},
	Bool:           {"bool", "BOOL", 8},
	Float16:        {"float16", "FP16", 16},
	Float64:        {"float64", "FP64", 64},
	Uint32:         {"uint32", "UINT32", 32},
	Uint64:         {"uint64", "UINT64", 64},
	Complex64:      {"complex64", "", 64},
	Complex128:     {"complex128", "", 128},
	BFloat16:       {"bfloat16", "BF16", 16},
	Float8E4M3FN:   {"float8e4m3fn", "", 8},
	Float8E4M3FNUZ: {"float8e4m3fnuz", "", 8},
	Float8E5M2:     {"float8e5m2", "", 8},
	Float8E5M2FNUZ: {"float8e5m2fnuz", "", 8},
	Uint4:          {"uint4", "", 4},
	Int4:           {"int4", "", 4},
	Float4E2M1:     {"float4e2m1", "", 4},
	Float8E8M0:     {"float8e8m0", "", 8},
}

// String is the type's name as NumPy and the ONNX documentation spell it:
// "float32", "int64", "bool".
func (t Type) String() string {
	if p, ok := types[t]; ok {
		return p.name
	}
	return fmt.Sprintf("type(%d)", int32(t))
}

// Datatype is the type's name in the Open Inference Protocol ("FP32"), or ""
// where the protocol has none.
func (t Type) Datatype() string { return types[t].datatype }

// Bits is the size of one element in bits, or 0 when elements have no fixed
// size (strings) or the type is unknown.
func (t Type) Bits() int { return types[t].bits }

// ParseType finds a type by the name that String gives.
func ParseType(name string) (Type, error) {
	for t, p := range types {
		if p.name == name {
			return t, nil
		}
	}
	return Undefined, fmt.Errorf("unknown element type %q", name)
}

// ParseDatatype finds a type by its Open Inference Protocol name.
func ParseDatatype(name string) (Type, error) {
	for t, p := range types {
		if name != "" && p.datatype == name {
			return t, nil
		}
	}
	return Undefined, fmt.Errorf("unknown Open Inference Protocol datatype %q", name)
}

// MarshalText writes the type by name, so that JSON files say "float32".
func (t Type) MarshalText() ([]byte, error) {
	if _, ok := types[t]; !ok {
		return nil, fmt.Errorf("element type %d has no name", int32(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (t *Type) UnmarshalText(text []byte) error {
	parsed, err := ParseType(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// Unknown marks a dimension whose size is not known.
const Unknown int64 = -1

// Info says what a tensor is without saying what is in it.
type Info struct {
	Name  string  `json:"name"`
	Type  Type    `json:"type"`
	Shape []int64 `json:"shape"` // a scalar has an empty shape; Unknown where not known
}

// Elements is the number of elements. It fails when a dimension is unknown or
// the product does not fit in 63 bits.
func (i Info) Elements() (int64, error) {
	empty := false
	for _, d := range i.Shape {
		if d < 0 {
			return 0, fmt.Errorf("tensor %q: shape %v has an unknown dimension", i.Name, i.Shape)
		}
		empty = empty || d == 0
	}
	if empty {
		return 0, nil
	}
	n := uint64(1)
	for _, d := range i.Shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("tensor %q: shape %v has more elements than 63 bits count", i.Name, i.Shape)
		}
		n = lo
	}
	return int64(n), nil
}

// TotalBytes is the size of tensors together, math.MaxInt64 at most; one whose size is not known
// counts nothing.
func TotalBytes(infos []Info) (total int64) {
	for _, i := range infos {
		if bytes, err := i.Bytes(); err == nil {
			total += min(bytes, math.MaxInt64-total)
		}
	}
	return total
}

// Bytes is the size of the tensor's elements in bytes; types under 8 bits are
// packed. It fails where Elements does, and for types without a fixed size.
func (i Info) Bytes() (int64, error) {
	n, err := i.Elements()
	if err != nil {
		return 0, err
	}
	width := i.Type.Bits()
	if width == 0 {
		return 0, fmt.Errorf("tensor %q: elements of type %s have no fixed size", i.Name, i.Type)
	}
	if width < 8 {
		perByte := int64(8 / width)
		return n/perByte + min(1, n%perByte), nil
	}
	hi, lo := bits.Mul64(uint64(n), uint64(width/8))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, fmt.Errorf("tensor %q: shape %v has more bytes than 63 bits count", i.Name, i.Shape)
	}
	return int64(lo), nil
}

// Tensor is a described array of elements.
type Tensor struct {
	Info
	// Data holds the elements, little-endian and row-major. String elements
	// are each a 4-byte little-endian length and its bytes, as the Open
	// Inference Protocol encodes BYTES.
	Data []byte
}
