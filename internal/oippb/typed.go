package oippb

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// typedContents gives the elements of a tensor whose contents are in the field
// of its type, as raw bytes.
func typedContents(info tensor.Info, c *InferTensorContents) ([]byte, error) {
	if err := onlyField(info.Type, c); err != nil {
		return nil, err
	}
	switch info.Type {
	case tensor.Bool:
		return bools(c.GetBoolContents()), nil
	case tensor.Int8:
		return narrow(c.GetIntContents(), math.MinInt8, math.MaxInt8, func(b []byte, v int32) []byte { return append(b, byte(v)) })
	case tensor.Int16:
		return narrow(c.GetIntContents(), math.MinInt16, math.MaxInt16, func(b []byte, v int32) []byte {
			return binary.LittleEndian.AppendUint16(b, uint16(v))
		})
	case tensor.Uint8:
		return narrow(c.GetUintContents(), 0, math.MaxUint8, func(b []byte, v uint32) []byte { return append(b, byte(v)) })
	case tensor.Uint16:
		return narrow(c.GetUintContents(), 0, math.MaxUint16, func(b []byte, v uint32) []byte {
			return binary.LittleEndian.AppendUint16(b, uint16(v))
		})
	case tensor.String:
		return stringContents(c.GetBytesContents())
	default:
		return wideContents(info.Type, c)
	}
}

// wideContents encodes the types whose field has elements of their own width.
func wideContents(t tensor.Type, c *InferTensorContents) ([]byte, error) {
	var elements any
	switch t {
	case tensor.Int32:
		elements = c.GetIntContents()
	case tensor.Int64:
		elements = c.GetInt64Contents()
	case tensor.Uint32:
		elements = c.GetUintContents()
	case tensor.Uint64:
		elements = c.GetUint64Contents()
	case tensor.Float32:
		elements = c.GetFp32Contents()
	case tensor.Float64:
		elements = c.GetFp64Contents()
	default:
		return nil, fmt.Errorf("%s has no typed contents: send it as raw contents", Datatype(t))
	}
	return binary.Append(nil, binary.LittleEndian, elements)
}

// onlyField refuses contents in the field of another type.
func onlyField(t tensor.Type, c *InferTensorContents) error {
	fields := []struct {
		name  string
		count int
		types []tensor.Type
	}{
		{"bool_contents", len(c.GetBoolContents()), []tensor.Type{tensor.Bool}},
		{"int_contents", len(c.GetIntContents()), []tensor.Type{tensor.Int8, tensor.Int16, tensor.Int32}},
		{"int64_contents", len(c.GetInt64Contents()), []tensor.Type{tensor.Int64}},
		{"uint_contents", len(c.GetUintContents()), []tensor.Type{tensor.Uint8, tensor.Uint16, tensor.Uint32}},
		{"uint64_contents", len(c.GetUint64Contents()), []tensor.Type{tensor.Uint64}},
		{"fp32_contents", len(c.GetFp32Contents()), []tensor.Type{tensor.Float32}},
		{"fp64_contents", len(c.GetFp64Contents()), []tensor.Type{tensor.Float64}},
		{"bytes_contents", len(c.GetBytesContents()), []tensor.Type{tensor.String}},
	}
	for _, f := range fields {
		if f.count != 0 && !slices.Contains(f.types, t) {
			return fmt.Errorf("%s holds elements, but the tensor is %s", f.name, Datatype(t))
		}
	}
	return nil
}

func bools(values []bool) []byte {
	out := make([]byte, len(values))
	for i, v := range values {
		if v {
			out[i] = 1
		}
	}
	return out
}

// narrow encodes elements that are narrower than their field.
func narrow[T int32 | uint32](values []T, lo, hi T, put func([]byte, T) []byte) ([]byte, error) {
	var out []byte
	for i, v := range values {
		if v < lo || v > hi {
			return nil, fmt.Errorf("element %d is %d, outside %d to %d", i, v, lo, hi)
		}
		out = put(out, v)
	}
	return out, nil
}

func stringContents(values [][]byte) ([]byte, error) {
	var out []byte
	for i, v := range values {
		if uint64(len(v)) > math.MaxUint32 {
			return nil, fmt.Errorf("element %d has %d bytes, more than 32 bits count", i, len(v))
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(v)))
		out = append(out, v...)
	}
	return out, nil
}
