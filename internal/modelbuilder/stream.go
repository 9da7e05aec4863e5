package modelbuilder

import (
	"bufio"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// Field numbers of onnx.proto.
const (
	modelGraph       protowire.Number = 7
	graphInitializer protowire.Number = 5
	tensorRawData    protowire.Number = 9
)

// WriteInline writes the model with its weights inside, as WriteFile does, without
// holding them in memory. A file holds at most 2 GB so.
func (m *Model) WriteInline(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	err = m.stream(out)
	if err == nil {
		err = out.Flush()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// stream writes the model, and the graph as its last field.
func (m *Model) stream(out io.Writer) error {
	head := &onnxpb.ModelProto{
		IrVersion: m.proto.IrVersion, ProducerName: m.proto.ProducerName,
		OpsetImport: m.proto.OpsetImport, Functions: m.proto.Functions,
	}
	model, err := proto.MarshalOptions{Deterministic: true}.Marshal(head)
	if err != nil {
		return err
	}
	graph, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.proto.Graph)
	if err != nil {
		return err
	}
	heads, size := make([][]byte, len(m.weights)), int64(len(graph))
	for i, w := range m.weights {
		if heads[i], err = w.head(); err != nil {
			return err
		}
		size += int64(len(heads[i])) + w.size()
	}
	model = protowire.AppendTag(model, modelGraph, protowire.BytesType)
	model = protowire.AppendVarint(model, uint64(size))
	if _, err := out.Write(append(model, graph...)); err != nil {
		return err
	}
	for i, w := range m.weights {
		if _, err := out.Write(heads[i]); err != nil {
			return err
		}
		if err := w.writeTo(out); err != nil {
			return err
		}
	}
	return nil
}

// head is a weight's field of the graph up to its elements.
func (w weight) head() ([]byte, error) {
	tensor, err := proto.MarshalOptions{Deterministic: true}.Marshal(w.header())
	if err != nil {
		return nil, err
	}
	tensor = protowire.AppendTag(tensor, tensorRawData, protowire.BytesType)
	tensor = protowire.AppendVarint(tensor, uint64(w.size()))
	field := protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
	field = protowire.AppendVarint(field, uint64(len(tensor))+uint64(w.size()))
	return append(field, tensor...), nil
}
