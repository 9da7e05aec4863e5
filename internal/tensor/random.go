package tensor

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// maxRandomBytes bounds what an absurd shape can ask for.
const maxRandomBytes int64 = 1 << 30

// Random makes a tensor from a seed and its name: floats uniform in [-1, 1),
// integers from 0 to 9 so that they may be used as indices, booleans. The same
// seed gives the same tensor on every machine.
func Random(info Info, seed uint64) (Tensor, error) {
	draw, ok := draws[info.Type]
	if !ok {
		return Tensor{}, fmt.Errorf("tensor %q: elements of type %s are not made at random: give a file", info.Name, info.Type)
	}
	size, err := info.Bytes()
	if err != nil {
		return Tensor{}, err
	}
	if size > maxRandomBytes {
		return Tensor{}, fmt.Errorf("tensor %q: %d bytes are more than are made at random (%d)", info.Name, size, maxRandomBytes)
	}
	name := fnv.New64a()
	name.Write([]byte(info.Name))
	source := rand.New(rand.NewPCG(seed, name.Sum64()))
	width := info.Type.Bits() / 8
	data := make([]byte, size)
	var element [8]byte
	for at := 0; at < len(data); at += width {
		binary.LittleEndian.PutUint64(element[:], draw(source))
		copy(data[at:], element[:width])
	}
	return Tensor{Info: info, Data: data}, nil
}

// draws make the bits of one element. Their arithmetic is exact, so that a
// machine that fuses multiplication and addition gives the same.
var draws = map[Type]func(*rand.Rand) uint64{
	Float32:  func(r *rand.Rand) uint64 { return uint64(math.Float32bits(2*r.Float32() - 1)) },
	Float64:  func(r *rand.Rand) uint64 { return math.Float64bits(2*r.Float64() - 1) },
	Float16:  func(r *rand.Rand) uint64 { return uint64(toFloat16(2*r.Float64() - 1)) },
	BFloat16: func(r *rand.Rand) uint64 { return uint64(math.Float32bits(2*r.Float32()-1) >> 16) },
	Bool:     func(r *rand.Rand) uint64 { return r.Uint64N(2) },
	Int8:     digit, Int16: digit, Int32: digit, Int64: digit,
	Uint8: digit, Uint16: digit, Uint32: digit, Uint64: digit,
}

func digit(r *rand.Rand) uint64 { return r.Uint64N(10) }
