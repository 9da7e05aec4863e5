package oippb

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that Codec stands on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Codec encodes like gRPC's own protocol buffer codec, and gives the same bytes
// but for the order of fields. Raw contents are not copied when written, and
// copied once when read, each into memory of its own, which is as aligned as Go
// makes it. Everything else goes to gRPC's codec.
type Codec struct {
	plain encoding.CodecV2
	take  func(n int) []byte // nil is from Go
}

// NewCodec makes a Codec. Both ends of a connection may use it alone.
func NewCodec() Codec { return Codec{plain: encoding.GetCodecV2("proto")} }

// Into is the Codec that reads raw contents of requests into memory that take gives, whose content may
// be anything. It is the request's from then on.
func (c Codec) Into(take func(n int) []byte) Codec {
	c.take = take
	return c
}

// Lent is a request whose raw contents are lent: each of Contents is referred to until it is written, or
// given up with its connection, however early its owner frees it. Without any it is a plain request.
type Lent struct {
	*ModelInferRequest
	Contents []mem.Buffer // of RawInputContents
}

// Name is that of protocol buffers.
func (Codec) Name() string { return "proto" }

// Field numbers of the raw contents.
const (
	rawInputs  protowire.Number = 7 // ModelInferRequest.raw_input_contents
	rawOutputs protowire.Number = 6 // ModelInferResponse.raw_output_contents
)

// Marshal encodes a message.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *ModelInferRequest:
		return marshal(requestHead(m), rawInputs, plainBuffers(m.RawInputContents))
	case *Lent:
		if len(m.Contents) == 0 {
			return c.Marshal(m.ModelInferRequest)
		}
		out, err := marshal(requestHead(m.ModelInferRequest), rawInputs, m.Contents)
		out.Ref() // gRPC frees what it gets
		return out, err
	case *ModelInferResponse:
		return marshal(responseHead(m), rawOutputs, plainBuffers(m.RawOutputContents))
	default:
		return c.plain.Marshal(v)
	}
}

// requestHead is a request without its raw contents and the fields it does not know.
func requestHead(m *ModelInferRequest) proto.Message {
	return &ModelInferRequest{
		ModelName: m.ModelName, ModelVersion: m.ModelVersion, Id: m.Id,
		Parameters: m.Parameters, Inputs: m.Inputs, Outputs: m.Outputs,
	}
}

func responseHead(m *ModelInferResponse) proto.Message {
	return &ModelInferResponse{
		ModelName: m.ModelName, ModelVersion: m.ModelVersion, Id: m.Id,
		Parameters: m.Parameters, Outputs: m.Outputs,
	}
}

// plainBuffers need not be freed.
func plainBuffers(contents [][]byte) (list []mem.Buffer) {
	for _, data := range contents {
		list = append(list, mem.SliceBuffer(data))
	}
	return list
}

func marshal(head proto.Message, field protowire.Number, raw []mem.Buffer) (mem.BufferSlice, error) {
	buffer, err := proto.Marshal(head)
	if err != nil {
		return nil, err
	}
	var out mem.BufferSlice
	for _, data := range raw {
		buffer = protowire.AppendTag(buffer, field, protowire.BytesType)
		buffer = protowire.AppendVarint(buffer, uint64(data.Len()))
		out = append(out, mem.SliceBuffer(buffer), data)
		buffer = nil
	}
	if buffer != nil {
		out = append(out, mem.SliceBuffer(buffer))
	}
	return out, nil
}

// Unmarshal decodes a message.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *ModelInferRequest:
		proto.Reset(m)
		raw, err := unmarshal(data, rawInputs, m, c.take)
		m.RawInputContents = raw
		return err
	case *ModelInferResponse:
		proto.Reset(m)
		raw, err := unmarshal(data, rawOutputs, m, nil)
		m.RawOutputContents = raw
		return err
	default:
		return c.plain.Unmarshal(data, v)
	}
}

// unmarshal reads the raw contents apart and leaves the other fields to protobuf.
func unmarshal(data mem.BufferSlice, field protowire.Number, m proto.Message, take func(n int) []byte) ([][]byte, error) {
	r := data.Reader()
	defer r.Close()
	var head []byte
	var raw [][]byte
	for r.Remaining() > 0 {
		tag, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("a field's number is cut off: %w", err)
		}
		number, kind := protowire.DecodeTag(tag)
		if number == field && kind == protowire.BytesType {
			content, err := readBytes(r, take)
			if err != nil {
				return nil, err
			}
			raw = append(raw, content)
			continue
		}
		head = protowire.AppendVarint(head, tag)
		if head, err = readField(r, kind, head); err != nil {
			return nil, err
		}
	}
	return raw, proto.Unmarshal(head, m)
}

// readField appends a field behind its tag to out.
func readField(r *mem.Reader, kind protowire.Type, out []byte) ([]byte, error) {
	switch kind {
	case protowire.VarintType:
		v, err := binary.ReadUvarint(r)
		return protowire.AppendVarint(out, v), err
	case protowire.Fixed32Type:
		return readExactly(r, 4, out)
	case protowire.Fixed64Type:
		return readExactly(r, 8, out)
	case protowire.BytesType:
		content, err := readBytes(r, nil)
		return protowire.AppendBytes(out, content), err
	default:
		return nil, fmt.Errorf("wire type %d is not in use", kind)
	}
}

func readBytes(r *mem.Reader, take func(n int) []byte) ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, fmt.Errorf("a field's length is cut off: %w", err)
	}
	if size > uint64(r.Remaining()) {
		return nil, fmt.Errorf("a field of %d bytes is cut off after %d", size, r.Remaining())
	}
	if take == nil {
		return readExactly(r, int(size), nil)
	}
	content := take(int(size))
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("a field is cut off: %w", err)
	}
	return content, nil
}

func readExactly(r *mem.Reader, n int, out []byte) ([]byte, error) {
	start := len(out)
	out = append(out, make([]byte, n)...)
	if _, err := io.ReadFull(r, out[start:]); err != nil {
		return nil, fmt.Errorf("a field is cut off: %w", err)
	}
	return out, nil
}
