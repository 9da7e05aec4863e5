package onnx

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// typedReader turns the elements of a TensorProto's float_data, int32_data and
// the like into bytes as they are in memory, a piece at a time.
type typedReader struct {
	in    *bufio.Reader
	p     *payload
	left  uint64 // bytes of the packed field being read
	out   []byte
	at    int
	total int64
	err   error
}

func newTypedReader(in io.Reader, p *payload) *typedReader {
	return &typedReader{in: bufio.NewReaderSize(in, 1<<16), p: p}
}

// Read implements io.Reader. It fails when there are more or fewer elements than
// the tensor's shape says.
func (r *typedReader) Read(buf []byte) (int, error) {
	for r.at == len(r.out) && r.err == nil {
		r.fill()
	}
	if r.at == len(r.out) {
		return 0, r.err
	}
	n := copy(buf, r.out[r.at:])
	r.at += n
	return n, nil
}

// fill decodes some elements.
func (r *typedReader) fill() {
	r.out, r.at = r.out[:0], 0
	for len(r.out) < 1<<15 && r.err == nil {
		if r.left == 0 {
			r.err = r.nextField()
			continue
		}
		r.err = r.element()
	}
	r.total += int64(len(r.out))
	if r.total > r.p.bytes || r.err == io.EOF && r.total != r.p.bytes {
		r.err = fmt.Errorf("%s: the tensor at offset %d has %d bytes of elements where its shape takes %d", r.p.file.path(), r.p.offset, r.total, r.p.bytes)
		r.out = r.out[:0]
	}
}

// nextField goes to the next run of elements: a packed field, or a single one.
func (r *typedReader) nextField() error {
	tag, err := binary.ReadUvarint(r.in)
	if err != nil {
		return err // io.EOF between fields is the end of the tensor
	}
	number, kind := protowire.DecodeTag(tag)
	wanted := number == r.p.field
	switch kind {
	case protowire.VarintType:
		if wanted {
			return r.element()
		}
		_, err = binary.ReadUvarint(r.in)
	case protowire.Fixed32Type:
		if wanted {
			return r.element()
		}
		_, err = r.in.Discard(4)
	case protowire.Fixed64Type:
		if wanted {
			return r.element()
		}
		_, err = r.in.Discard(8)
	default:
		var n uint64
		if n, err = binary.ReadUvarint(r.in); err == nil && wanted {
			r.left = n
		} else if err == nil {
			_, err = io.CopyN(io.Discard, r.in, int64(n))
		}
	}
	return noEOF(err)
}

// element decodes one entry of the field.
func (r *typedReader) element() error {
	switch r.p.field {
	case floatDataField:
		return r.fixed(4)
	case doubleDataField:
		return r.fixed(8)
	}
	v, err := binary.ReadUvarint(r.in)
	if err != nil {
		return noEOF(err)
	}
	r.consume(uint64(protowire.SizeVarint(v)))
	r.out = appendElement(r.out, r.p.elem, v)
	return nil
}

// fixed copies one entry of fixed size.
func (r *typedReader) fixed(size uint64) error {
	var buf [8]byte
	if _, err := io.ReadFull(r.in, buf[:size]); err != nil {
		return noEOF(err)
	}
	r.consume(size)
	r.out = append(r.out, buf[:size]...)
	return nil
}

func (r *typedReader) consume(n uint64) { r.left -= min(n, r.left) }

// noEOF marks an end in the middle of something.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendElement appends one entry of int32_data, int64_data or uint64_data. An
// entry of a type under 8 bits is a byte that packs several elements.
func appendElement(out []byte, t tensor.Type, v uint64) []byte {
	switch t.Bits() {
	case 16:
		return binary.LittleEndian.AppendUint16(out, uint16(v))
	case 32:
		return binary.LittleEndian.AppendUint32(out, uint32(v))
	case 64:
		return binary.LittleEndian.AppendUint64(out, v)
	}
	return append(out, byte(v))
}
