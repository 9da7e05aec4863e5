// Package transfer makes tensors smaller for their way between devices.
//
// A tensor travels as it is wherever a form does not apply to it or does not make it
// smaller. The length says which it was: no encoded tensor has as many bytes as the
// plain one.
package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/x448/float16"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Form is how tensors travel.
type Form string

// The forms.
const (
	None Form = "none" // as they are
	Zstd Form = "zstd" // without loss: the bytes of each place of the elements together, then zstd
	FP16 Form = "fp16" // float32 rounded to float16; tensors that have values beyond its range stay
	Int8 Form = "int8" // float32 as 8-bit integers times a scale for the tensor
)

// Forms are all of them, in the order in which they are described.
func Forms() []string { return []string{string(None), string(Zstd), string(FP16), string(Int8)} }

// scaleBytes hold the scale of an int8 tensor, a float32 before its elements.
const scaleBytes = 4

// Bytes is how many bytes a tensor takes on its way. That of zstd depends on the
// values, so it is the most: as many as without.
func (f Form) Bytes(info tensor.Info) (int64, error) {
	plain, err := info.Bytes()
	if err != nil || info.Type != tensor.Float32 || plain == 0 {
		return plain, err
	}
	switch f {
	case FP16:
		return plain / 2, nil
	case Int8:
		return min(plain, plain/4+scaleBytes), nil
	}
	return plain, nil
}

// Shrink is how many times the bytes on the way a tensor in memory has, at most.
func (f Form) Shrink() int64 {
	switch f {
	case FP16:
		return 2
	case Int8:
		return 4
	}
	return 1
}

// Tolerance is the share of the largest value that a result may be off where the
// model is cut a few times, beyond what the engine itself may round. It is a rule of
// thumb: how errors grow is up to the model.
func (f Form) Tolerance() float64 {
	switch f {
	case FP16:
		return 0.01
	case Int8:
		return 0.1
	}
	return 0
}

// Encode gives the bytes of a tensor as they travel, which may be its own.
func (f Form) Encode(t tensor.Tensor) []byte {
	if plain, err := t.Info.Bytes(); err != nil || int64(len(t.Data)) != plain {
		return t.Data // strings, whose length does not say what they are
	}
	var out []byte
	switch {
	case f == Zstd:
		out = pack(t)
	case t.Type != tensor.Float32:
	case f == FP16:
		out = toHalf(t.Data)
	case f == Int8:
		out = toInt8(t.Data)
	}
	if out == nil || len(out) >= len(t.Data) {
		return t.Data
	}
	return out
}

// errDamaged: bytes that Encode does not make.
var errDamaged = errors.New("its bytes are damaged")

// Decode gives back the elements of a tensor of the given type and shape. It makes
// nothing larger than limit bytes.
func (f Form) Decode(info tensor.Info, data []byte, limit int64) ([]byte, error) {
	plain, err := info.Bytes()
	switch {
	case f == None || f == "" || err != nil || int64(len(data)) == plain:
		return data, nil // whoever reads the tensor checks its length
	case plain > limit:
		return nil, fmt.Errorf("it has %d bytes, more than the %d that may come", plain, limit)
	case f == Zstd:
		return unpack(info, data, int(plain))
	case f == FP16 && info.Type == tensor.Float32 && int64(len(data)) == plain/2:
		return fromHalf(data), nil
	case f == Int8 && info.Type == tensor.Float32 && int64(len(data)) == plain/4+scaleBytes:
		return fromInt8(data), nil
	case !slices.Contains(Forms(), string(f)):
		return nil, fmt.Errorf("it came as %q, which this version does not know", string(f))
	}
	return nil, fmt.Errorf("it came as %s in %d bytes: %w", f, len(data), errDamaged)
}

// maxHalf is the largest float16; what rounds beyond becomes infinite.
const maxHalf = 65504

func toHalf(data []byte) []byte {
	out := make([]byte, len(data)/2)
	for i := range len(data) / 4 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if (v > maxHalf || v < -maxHalf) && !math.IsInf(float64(v), 0) {
			return nil
		}
		binary.LittleEndian.PutUint16(out[2*i:], uint16(float16.Fromfloat32(v)))
	}
	return out
}

func fromHalf(data []byte) []byte {
	out := make([]byte, 2*len(data))
	for i := range len(data) / 2 {
		v := float16.Frombits(binary.LittleEndian.Uint16(data[2*i:])).Float32()
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}

// toInt8 is nil where a value is not finite: it has no place on the scale.
func toInt8(data []byte) []byte {
	var largest float32
	for i := 0; i < len(data); i += 4 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[i:]) &^ (1 << 31))
		if !(v <= math.MaxFloat32) {
			return nil
		}
		largest = max(largest, v)
	}
	scale := largest / 127
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, scaleBytes+len(data)/4), math.Float32bits(scale))
	for i := 0; i < len(data); i += 4 {
		var q float64
		if scale > 0 {
			q = math.RoundToEven(float64(math.Float32frombits(binary.LittleEndian.Uint32(data[i:]))) / float64(scale))
		}
		out = append(out, byte(int8(min(max(q, -127), 127))))
	}
	return out
}

func fromInt8(data []byte) []byte {
	scale := math.Float32frombits(binary.LittleEndian.Uint32(data))
	out := make([]byte, 0, 4*(len(data)-scaleBytes))
	for _, q := range data[scaleBytes:] {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(int8(q))*scale))
	}
	return out
}

// coders are made when the first tensor needs them: they take memory.
var (
	packer = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	})
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
	})
)

// pack is nil where there is nothing to win.
func pack(t tensor.Tensor) []byte {
	encoder, err := packer()
	if err != nil || len(t.Data) == 0 {
		return nil
	}
	return encoder.EncodeAll(shuffle(t.Data, width(t.Type)), make([]byte, 0, len(t.Data)))
}

func unpack(info tensor.Info, data []byte, plain int) ([]byte, error) {
	decoder, err := unpacker()
	if err != nil {
		return nil, err
	}
	out, err := decoder.DecodeAll(data, make([]byte, 0, plain))
	if err != nil || len(out) != plain {
		return nil, fmt.Errorf("it came as zstd: %w (%d of %d bytes, %v)", errDamaged, len(out), plain, err)
	}
	return unshuffle(out, width(info.Type)), nil
}

// width of an element in bytes; 1 where it has no whole number of them.
func width(t tensor.Type) int { return max(1, t.Bits()/8) }

// shuffle puts the first bytes of all elements first, then the second bytes, and so on:
// signs and exponents are alike, and compress when they lie together.
func shuffle(data []byte, width int) []byte {
	n := len(data) / width
	out := make([]byte, len(data))
	for i := range n {
		for k := range width {
			out[k*n+i] = data[i*width+k]
		}
	}
	return out
}

func unshuffle(data []byte, width int) []byte {
	n := len(data) / width
	out := make([]byte, len(data))
	for i := range n {
		for k := range width {
			out[i*width+k] = data[k*n+i]
		}
	}
	return out
}
