package ort_test

import (
	"encoding/binary"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// plain is a session that computes exactly what the graph says.
var plain = ort.SessionOptions{Level: ort.Disabled, Threads: 1}

func open(t testing.TB) *ort.Engine {
	t.Helper()
	engine, err := ort.Open(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// load makes a session of a model, closed when the test ends.
func load(t testing.TB, model []byte) *ort.Session {
	t.Helper()
	session, err := open(t).NewSessionFromBytes(model, plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// graph is a model of a few nodes.
type graph struct {
	nodes           []*onnxpb.NodeProto
	inputs, outputs []*onnxpb.ValueInfoProto
	weights         []*onnxpb.TensorProto
}

func (g graph) bytes(t testing.TB) []byte {
	t.Helper()
	data, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(10),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(21)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("test"), Node: g.nodes, Input: g.inputs, Output: g.outputs, Initializer: g.weights,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// node makes one output from inputs.
func node(op, output string, inputs ...string) *onnxpb.NodeProto {
	return modelbuilder.Node(op, inputs, []string{output})
}

// untyped names an output and says no more.
func untyped(name string) *onnxpb.ValueInfoProto {
	return &onnxpb.ValueInfoProto{Name: proto.String(name)}
}

// list makes a slice of what is given, for the fields of graph.
func list[T any](elements ...T) []T { return elements }

func floats(name string, shape []int64, values ...float32) tensor.Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return tensor.Tensor{Info: tensor.Info{Name: name, Type: tensor.Float32, Shape: shape}, Data: data}
}

func ints(name string, shape []int64, values ...int64) tensor.Tensor {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return tensor.Tensor{Info: tensor.Info{Name: name, Type: tensor.Int64, Shape: shape}, Data: data}
}

func texts(name string, shape []int64, values ...string) tensor.Tensor {
	data := []byte{}
	for _, v := range values {
		data = tensor.AppendString(data, v)
	}
	return tensor.Tensor{Info: tensor.Info{Name: name, Type: tensor.String, Shape: shape}, Data: data}
}

// subtraction is y = a - b, for any number of rows.
func subtraction(t testing.TB) []byte {
	return graph{
		nodes:   list(node("Sub", "y", "a", "b")),
		inputs:  list(modelbuilder.ValueInfo("a", tensor.Float32, "rows", 2), modelbuilder.ValueInfo("b", tensor.Float32, "rows", 2)),
		outputs: list(modelbuilder.ValueInfo("y", tensor.Float32, "rows", 2)),
	}.bytes(t)
}
