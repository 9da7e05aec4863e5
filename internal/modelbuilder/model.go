package modelbuilder

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Model is a finished model.
type Model struct {
	proto   *onnxpb.ModelProto
	weights []weight
	infos   map[string]tensor.Info
}

// Proto is the model with its weights inside, to be changed at will.
func (m *Model) Proto() *onnxpb.ModelProto {
	p := proto.CloneOf(m.proto)
	for _, w := range m.weights {
		p.Graph.Initializer = append(p.Graph.Initializer, w.proto())
	}
	return p
}

// AddValueInfo describes every tensor between nodes in the file, so that a reader
// needs no shape inference. It fails when the builder does not know one.
func (m *Model) AddValueInfo() error {
	output := map[string]bool{}
	for _, v := range m.proto.Graph.Output {
		output[v.GetName()] = true
	}
	for _, node := range m.proto.Graph.Node {
		for _, name := range node.Output {
			if name == "" || output[name] {
				continue
			}
			if _, ok := m.infos[name]; !ok {
				return fmt.Errorf("the shape of %q, made by node %q, is not known", name, node.GetName())
			}
			m.proto.Graph.ValueInfo = append(m.proto.Graph.ValueInfo, valueInfo(name, m.infos))
		}
	}
	return nil
}

// Bytes is the file with its weights inside.
func (m *Model) Bytes() ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m.Proto())
}

// WriteFile writes the model with its weights inside.
func (m *Model) WriteFile(path string) error {
	data, err := m.Bytes()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// WriteExternal writes the model with its weights in a second file, path + ".data",
// without holding them in memory.
func (m *Model) WriteExternal(path string) error {
	file, err := os.Create(path + ".data")
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	for _, w := range m.weights {
		if err := w.writeTo(out); err != nil {
			_ = file.Close()
			return err
		}
	}
	if err := out.Flush(); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return m.writeGraph(path)
}

// WriteSparse writes the model with zeros for weights, in a second file that takes
// no room on most file systems: for tests that look at sizes only.
func (m *Model) WriteSparse(path string) error {
	file, err := os.Create(path + ".data")
	if err != nil {
		return err
	}
	var size int64
	for _, w := range m.weights {
		size += w.size()
	}
	if err := file.Truncate(size); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return m.writeGraph(path)
}

// writeGraph writes the model with weights referring to path + ".data".
func (m *Model) writeGraph(path string) error {
	p := proto.CloneOf(m.proto)
	var offset int64
	for _, w := range m.weights {
		t := w.header()
		t.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		t.ExternalData = []*onnxpb.StringStringEntryProto{
			{Key: proto.String("location"), Value: proto.String(filepath.Base(path) + ".data")},
			{Key: proto.String("offset"), Value: proto.String(strconv.FormatInt(offset, 10))},
			{Key: proto.String("length"), Value: proto.String(strconv.FormatInt(w.size(), 10))},
		}
		offset += w.size()
		p.Graph.Initializer = append(p.Graph.Initializer, t)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
