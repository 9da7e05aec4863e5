package modelbuilder

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// weight is an initializer: its elements given, or drawn from a seed when they
// are written, so that a model larger than memory can be made.
type weight struct {
	info     tensor.Info
	data     []byte // nil: drawn
	lo, hi   float32
	seed, id uint64
}

func (w weight) size() int64 {
	if w.data != nil {
		return int64(len(w.data))
	}
	n, err := w.info.Bytes()
	if err != nil {
		return 0
	}
	return n
}

// WriteTo writes the elements, little-endian.
func (w weight) writeTo(out io.Writer) error {
	if w.data != nil {
		_, err := out.Write(w.data)
		return err
	}
	source := rand.New(rand.NewPCG(w.seed, w.id))
	buf := make([]byte, 0, 1<<16)
	for n := w.size() / 4; n > 0; n-- {
		f := w.lo + (w.hi-w.lo)*float32(source.Uint64()>>40)/(1<<24)
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(f))
		if len(buf) == cap(buf) || n == 1 {
			if _, err := out.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

// proto is the initializer with its elements inside.
func (w weight) proto() *onnxpb.TensorProto {
	var raw bytes.Buffer
	raw.Grow(int(w.size()))
	_ = w.writeTo(&raw) // a bytes.Buffer takes everything
	t := w.header()
	t.RawData = raw.Bytes()
	return t
}

func (w weight) header() *onnxpb.TensorProto {
	return &onnxpb.TensorProto{
		Name: proto.String(w.info.Name), DataType: proto.Int32(int32(w.info.Type)), Dims: w.info.Shape,
	}
}

// Uniform adds float32 weights drawn uniformly from [lo, hi).
func (b *Builder) Uniform(name string, lo, hi float32, shape ...int64) string {
	return b.add(weight{
		info: tensor.Info{Name: name, Type: tensor.Float32, Shape: shape},
		lo:   lo, hi: hi, seed: b.seed, id: uint64(len(b.weights)),
	})
}

// Weight adds float32 weights that keep the variance of what passes through a
// layer with fanIn inputs per output and a rectifier after it (He et al. 2015).
func (b *Builder) Weight(name string, fanIn int64, shape ...int64) string {
	bound := float32(math.Sqrt(6 / float64(fanIn)))
	return b.Uniform(name, -bound, bound, shape...)
}

// Floats adds given float32 weights.
func (b *Builder) Floats(name string, shape []int64, values ...float32) string {
	return b.add(weight{info: tensor.Info{Name: name, Type: tensor.Float32, Shape: shape}, data: encode(values)})
}

// Int64s adds given int64 values as a vector, as Reshape and others take them.
func (b *Builder) Int64s(name string, values ...int64) string {
	return b.add(weight{
		info: tensor.Info{Name: name, Type: tensor.Int64, Shape: []int64{int64(len(values))}}, data: encode(values),
	})
}

// Raw adds an initializer of any type with its elements as bytes.
func (b *Builder) Raw(name string, t tensor.Type, shape []int64, data []byte) string {
	return b.add(weight{info: tensor.Info{Name: name, Type: t, Shape: shape}, data: data})
}

func (b *Builder) add(w weight) string {
	if _, ok := b.infos[w.info.Name]; ok {
		b.Fail("tensor %q is declared twice", w.info.Name)
	}
	b.weights = append(b.weights, w)
	b.infos[w.info.Name] = w.info
	return w.info.Name
}

// encode gives the little-endian bytes of fixed-size values.
func encode(values any) []byte {
	var buf bytes.Buffer
	_ = binary.Write(&buf, binary.LittleEndian, values) // fixed-size values into a buffer do not fail
	return append([]byte{}, buf.Bytes()...)
}

// Tensor is an initializer or attribute value with given elements.
func Tensor(name string, t tensor.Type, shape []int64, values any) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(t)), Dims: shape, RawData: encode(values),
	}
}
