package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Sizes that decide what stays in memory.
const (
	// inlineLimit is the size from which a tensor's elements stay in the file.
	inlineLimit = 1 << 10
	// skeletonLimit bounds what is left of a model without its weights.
	skeletonLimit = 512 << 20
	// nestingLimit bounds graphs within graphs.
	nestingLimit = 64
	// payloadMarker is the field that stands in a TensorProto for elements left in
	// the file: an index of skeleton.payloads. No field of the specification has it.
	payloadMarker protowire.Number = 1<<29 - 1
)

// skeleton is a model without the elements of its large tensors.
type skeleton struct {
	bytes    []byte // a ModelProto
	payloads []*payload
}

// message tells which fields of a protobuf message lead to tensors.
type message int

const (
	plain message = iota
	modelMessage
	graphMessage
	nodeMessage
	attributeMessage
	tensorMessage
)

// field is the message that a field of this message holds. Functions are kept
// whole: the engine takes no external data in them.
func (m message) field(n protowire.Number) message {
	switch {
	case m == modelMessage && n == 7:
		return graphMessage
	case m == graphMessage && n == 1:
		return nodeMessage
	case m == graphMessage && n == 5:
		return tensorMessage
	case m == nodeMessage && n == 5:
		return attributeMessage
	case m == attributeMessage && n == 5:
		return tensorMessage
	case m == attributeMessage && (n == 6 || n == 11):
		return graphMessage
	}
	return plain
}

// Fields of TensorProto that hold elements, and others the scanner looks at.
const (
	dataTypeField   protowire.Number = 2
	floatDataField  protowire.Number = 4
	int32DataField  protowire.Number = 5
	int64DataField  protowire.Number = 7
	rawDataField    protowire.Number = 9
	doubleDataField protowire.Number = 10
	uint64DataField protowire.Number = 11
)

func isDataField(n protowire.Number) bool {
	switch n {
	case floatDataField, int32DataField, int64DataField, rawDataField, doubleDataField, uint64DataField:
		return true
	}
	return false
}

// scanner reads the wire format of a model file.
type scanner struct {
	file     *source
	in       io.ReaderAt
	window   []byte // the bytes read last
	at       int64  // where the window begins
	payloads []*payload
	kept     int64
}

// readSkeleton reads a model file and leaves the elements of large tensors in it.
func readSkeleton(file *source, in io.ReaderAt) (*skeleton, error) {
	s := &scanner{file: file, in: in}
	out, err := s.scan(modelMessage, 0, file.size, 0)
	if err != nil {
		return nil, err
	}
	return &skeleton{bytes: out, payloads: s.payloads}, nil
}

// scan copies the message in [off, end) without what stays in the file.
func (s *scanner) scan(kind message, off, end int64, depth int) ([]byte, error) {
	if depth > nestingLimit {
		return nil, fmt.Errorf("offset %d: graphs within graphs more than %d deep", off, nestingLimit)
	}
	if kind == tensorMessage {
		return s.scanTensor(off, end)
	}
	var out []byte
	for off < end {
		f, err := s.next(off, end)
		if err != nil {
			return nil, err
		}
		off = f.end
		child := kind.field(f.number)
		if f.kind != protowire.BytesType || child == plain || f.size() < inlineLimit {
			if out, err = s.copyTo(out, f.start, f.end); err != nil {
				return nil, err
			}
			continue
		}
		inner, err := s.scan(child, f.value, f.end, depth+1)
		if err != nil {
			return nil, err
		}
		out = protowire.AppendTag(out, f.number, protowire.BytesType)
		out = protowire.AppendBytes(out, inner)
	}
	return out, nil
}

// scanTensor copies a TensorProto without its elements, unless they are strings.
func (s *scanner) scanTensor(start, end int64) ([]byte, error) {
	p := &payload{file: s.file, offset: start, size: end - start}
	var out []byte
	for off := start; off < end; {
		f, err := s.next(off, end)
		if err != nil {
			return nil, err
		}
		off = f.end
		switch {
		case f.number == rawDataField && f.kind == protowire.BytesType:
			p.field, p.offset, p.size = rawDataField, f.value, f.size()
		case isDataField(f.number):
			if p.field == 0 {
				p.field = f.number
			}
		case f.number == payloadMarker:
		default:
			if f.number == dataTypeField {
				p.elem = tensor.Type(f.varint)
			}
			if out, err = s.copyTo(out, f.start, f.end); err != nil {
				return nil, err
			}
		}
	}
	if p.field == 0 {
		return out, nil
	}
	out = protowire.AppendTag(out, payloadMarker, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(len(s.payloads)))
	s.payloads = append(s.payloads, p)
	return out, nil
}

// wireField is one field of a message and where it lies in the file.
type wireField struct {
	number            protowire.Number
	kind              protowire.Type
	start, value, end int64
	varint            uint64
}

func (f wireField) size() int64 { return f.end - f.value }

// next reads the tag at off and finds where its field ends.
func (s *scanner) next(off, end int64) (wireField, error) {
	f := wireField{start: off}
	tag, off, err := s.varint(off, end)
	if err != nil {
		return f, err
	}
	f.number, f.kind = protowire.DecodeTag(tag)
	f.value = off
	if f.number < protowire.MinValidNumber {
		return f, fmt.Errorf("offset %d: no protobuf field has the number %d: not an ONNX model, or a damaged one", f.start, f.number)
	}
	switch f.kind {
	case protowire.VarintType:
		f.varint, f.end, err = s.varint(off, end)
		return f, err
	case protowire.Fixed32Type:
		f.end = off + 4
	case protowire.Fixed64Type:
		f.end = off + 8
	case protowire.BytesType:
		length, at, err := s.varint(off, end)
		if err != nil {
			return f, err
		}
		if length > uint64(end-at) {
			return f, fmt.Errorf("offset %d: field %d says it has %d bytes, and %d are left: the file is cut short or damaged", f.start, f.number, length, end-at)
		}
		f.value, f.end = at, at+int64(length)
	default:
		return f, fmt.Errorf("offset %d: field %d has wire type %d, which ONNX does not use: not an ONNX model, or a damaged one", f.start, f.number, f.kind)
	}
	if f.end > end {
		return f, fmt.Errorf("offset %d: field %d ends after its message: the file is cut short or damaged", f.start, f.number)
	}
	return f, nil
}

// varint decodes the number at off and gives where it ends.
func (s *scanner) varint(off, end int64) (uint64, int64, error) {
	raw, err := s.bytes(off, min(end-off, binary.MaxVarintLen64))
	if err != nil {
		return 0, 0, err
	}
	v, n := protowire.ConsumeVarint(raw)
	if n < 0 {
		return 0, 0, fmt.Errorf("offset %d: a number does not end: the file is cut short or damaged", off)
	}
	return v, off + int64(n), nil
}

// bytes gives a small range of the file, until the next call.
func (s *scanner) bytes(off, n int64) ([]byte, error) {
	if off < s.at || off+n > s.at+int64(len(s.window)) {
		if cap(s.window) == 0 {
			s.window = make([]byte, 0, 1<<16)
		}
		got, err := s.in.ReadAt(s.window[:cap(s.window)], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		s.window, s.at = s.window[:got], off
		if int64(got) < n {
			return nil, fmt.Errorf("offset %d: the file ends: %w", off+int64(got), io.ErrUnexpectedEOF)
		}
	}
	return s.window[off-s.at:][:n], nil
}

// copyTo appends a range of the file.
func (s *scanner) copyTo(out []byte, start, end int64) ([]byte, error) {
	n := end - start
	if s.kept += n; s.kept > skeletonLimit {
		return nil, fmt.Errorf("offset %d: the graph without its weights is larger than %d MiB", start, skeletonLimit>>20)
	}
	if n <= int64(1<<16) {
		raw, err := s.bytes(start, n)
		return append(out, raw...), err
	}
	at := len(out)
	out = append(out, make([]byte, n)...)
	if _, err := s.in.ReadAt(out[at:], start); err != nil {
		return nil, fmt.Errorf("offset %d: %w", start, err)
	}
	return out, nil
}
