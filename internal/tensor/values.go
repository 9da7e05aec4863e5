package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
)

// value reads element i of the data as a number; false and true are 0 and 1.
// Every integer up to 53 bits is exact. It fails for types that are no real
// number of whole bytes.
func value(t Type, data []byte, i int) (float64, error) {
	switch t {
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))), nil
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])), nil
	case Float16:
		return float64(float16.Frombits(binary.LittleEndian.Uint16(data[2*i:])).Float32()), nil
	case BFloat16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)), nil
	case Uint8, Bool:
		return float64(data[i]), nil
	case Int8:
		return float64(int8(data[i])), nil
	case Uint16:
		return float64(binary.LittleEndian.Uint16(data[2*i:])), nil
	case Int16:
		return float64(int16(binary.LittleEndian.Uint16(data[2*i:]))), nil
	case Uint32:
		return float64(binary.LittleEndian.Uint32(data[4*i:])), nil
	case Int32:
		return float64(int32(binary.LittleEndian.Uint32(data[4*i:]))), nil
	case Uint64:
		return float64(binary.LittleEndian.Uint64(data[8*i:])), nil
	case Int64:
		return float64(int64(binary.LittleEndian.Uint64(data[8*i:]))), nil
	}
	return 0, fmt.Errorf("elements of type %s are not read as numbers", t)
}

// toFloat16 cuts a number in [-1, 1] to a binary16, towards zero.
func toFloat16(x float64) uint16 {
	var sign uint16
	if math.Signbit(x) {
		sign, x = 1<<15, -x
	}
	if x < math.Ldexp(1, -14) {
		return sign | uint16(math.Ldexp(x, 24))
	}
	fraction, exponent := math.Frexp(x) // x = fraction * 2^exponent, fraction in [0.5, 1)
	return sign | uint16(exponent+14)<<10 | uint16((2*fraction-1)*1024)
}

// wide is element i of 8 bytes.
func wide(data []byte, i int) uint64 { return binary.LittleEndian.Uint64(data[8*i:]) }
