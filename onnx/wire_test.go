package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// What the reader leaves in the file and what it keeps make the whole again.
func TestSkeletonAndPayloadsAreTheWholeModel(t *testing.T) {
	all, err := modelbuilder.All(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			read, err := readModel(write(t, m.Model))
			if err != nil {
				t.Fatal(err)
			}
			whole := &model{proto: m.Proto()}
			whole.lift(whole.proto.Graph, true)
			for tensor, p := range read.payloads {
				if err := restore(tensor, p); err != nil {
					t.Fatal(err)
				}
			}
			if !proto.Equal(read.proto, whole.proto) {
				t.Error("the model read differs from the model written")
			}
		})
	}
}

// Elements mean the same in whichever field of a TensorProto they stand.
func TestStorageFields(t *testing.T) {
	const n = 600
	floats, doubles, longs, ints, unsigned := make([]float32, n), make([]float64, n), make([]int64, n), make([]int32, n), make([]uint64, n)
	for i := range n {
		floats[i], doubles[i], longs[i], ints[i], unsigned[i] = float32(i)/3, float64(i)/7, int64(i)-300, int32(i-300), uint64(i)
	}
	short := func(list []int32) (out []byte) {
		for _, v := range list {
			out = append(out, byte(v), byte(v>>8))
		}
		return out
	}
	tests := []struct {
		name string
		t    tensor.Type
		dims []int64
		p    *onnxpb.TensorProto
		want []byte
	}{
		{"float", tensor.Float32, []int64{n}, &onnxpb.TensorProto{FloatData: floats}, encode(floats)},
		{"complex", tensor.Complex64, []int64{n / 2}, &onnxpb.TensorProto{FloatData: floats}, encode(floats)},
		{"double", tensor.Float64, []int64{n}, &onnxpb.TensorProto{DoubleData: doubles}, encode(doubles)},
		{"int64", tensor.Int64, []int64{n}, &onnxpb.TensorProto{Int64Data: longs}, encode(longs)},
		{"int32", tensor.Int32, []int64{n}, &onnxpb.TensorProto{Int32Data: ints}, encode(ints)},
		{"int16", tensor.Int16, []int64{n}, &onnxpb.TensorProto{Int32Data: ints}, short(ints)},
		{"uint64", tensor.Uint64, []int64{n}, &onnxpb.TensorProto{Uint64Data: unsigned}, encode(unsigned)},
		{"raw", tensor.Float32, []int64{n}, &onnxpb.TensorProto{RawData: encode(floats)}, encode(floats)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.p.Name, test.p.DataType, test.p.Dims = proto.String("w"), proto.Int32(int32(test.t)), test.dims
			checkStorage(t, test.p, test.want)
		})
	}
}

// checkStorage reads a tensor as a file of its own and as an initializer.
func checkStorage(t *testing.T, p *onnxpb.TensorProto, want []byte) {
	t.Helper()
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.pb")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTensor(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Data, want) {
		t.Error("ReadTensor gives other elements")
	}
	raw, err = proto.Marshal(&onnxpb.ModelProto{Graph: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{p}}})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "w.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := readModel(path)
	if err != nil {
		t.Fatal(err)
	}
	payload := m.payloads[m.proto.Graph.Initializer[0]]
	if payload == nil {
		t.Fatal("the elements were read into memory")
	}
	data, err := payload.read()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Error("the reader gives other elements")
	}
}

func TestTensorFileRoundTrip(t *testing.T) {
	tests := []tensor.Tensor{
		{Info: tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{2, 1}}, Data: make([]byte, 8)},
		{Info: tensor.Info{Name: "s", Type: tensor.Int64, Shape: []int64{}}, Data: make([]byte, 8)},
		{Info: tensor.Info{Name: "text", Type: tensor.String, Shape: []int64{2}}, Data: []byte("\x02\x00\x00\x00ab\x00\x00\x00\x00")},
	}
	for _, want := range tests {
		path := filepath.Join(t.TempDir(), "t.pb")
		if err := WriteTensor(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadTensor(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != want.Name || got.Type != want.Type || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("wrote %+v, read %+v", want, got)
		}
	}
}
