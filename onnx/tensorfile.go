package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// ReadTensor reads an ONNX TensorProto file (.pb), as test data of models comes in.
// Elements may be in any field of it, or in a file beside it.
func ReadTensor(path string) (tensor.Tensor, error) {
	t, err := readTensor(path)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func readTensor(path string) (tensor.Tensor, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if len(raw) == 0 {
		return tensor.Tensor{}, errors.New("the file is empty")
	}
	var p onnxpb.TensorProto
	if err := proto.Unmarshal(raw, &p); err != nil {
		return tensor.Tensor{}, fmt.Errorf("not a TensorProto: %w", err)
	}
	t := tensor.Tensor{Info: tensor.Info{Name: p.GetName(), Type: tensor.Type(p.GetDataType()), Shape: append([]int64{}, p.GetDims()...)}}
	if t.Type == tensor.Undefined {
		return tensor.Tensor{}, errors.New("not a TensorProto, or one without an element type")
	}
	if t.Data, err = elementsOf(&p, filepath.Dir(path)); err != nil {
		return tensor.Tensor{}, err
	}
	return t, t.Check()
}

// elementsOf gives the elements of a TensorProto as they are in memory.
func elementsOf(p *onnxpb.TensorProto, folder string) ([]byte, error) {
	t := tensor.Type(p.GetDataType())
	switch {
	case p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL:
		m := &model{file: &source{folder: folder}, external: map[string]*source{}}
		external, err := m.externalPayload(p)
		if err != nil {
			return nil, err
		}
		if err := external.check(p); err != nil {
			return nil, err
		}
		return external.read()
	case t == tensor.String:
		var out []byte
		for _, s := range p.StringData {
			out = append(binary.LittleEndian.AppendUint32(out, uint32(len(s))), s...)
		}
		return out, nil
	case len(p.RawData) > 0:
		return p.RawData, nil
	case len(p.FloatData) > 0:
		return encode(p.FloatData), nil
	case len(p.DoubleData) > 0:
		return encode(p.DoubleData), nil
	}
	var out []byte
	for _, v := range p.Int32Data {
		out = appendElement(out, t, uint64(v))
	}
	for _, v := range p.Int64Data {
		out = appendElement(out, t, uint64(v))
	}
	for _, v := range p.Uint64Data {
		out = appendElement(out, t, v)
	}
	return out, nil
}

// encode gives the little-endian bytes of fixed-size values.
func encode(values any) []byte {
	var buf bytes.Buffer
	_ = binary.Write(&buf, binary.LittleEndian, values) // fixed-size values into a buffer do not fail
	return buf.Bytes()
}

// WriteTensor writes an ONNX TensorProto file.
func WriteTensor(path string, t tensor.Tensor) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p := &onnxpb.TensorProto{Name: proto.String(t.Name), DataType: proto.Int32(int32(t.Type)), Dims: t.Shape}
	if t.Type != tensor.String {
		p.RawData = t.Data
	} else {
		for rest := t.Data; len(rest) > 0; {
			if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
				return fmt.Errorf("%s: the elements of a tensor of strings are cut short", path)
			}
			n := 4 + binary.LittleEndian.Uint32(rest)
			p.StringData = append(p.StringData, rest[4:n])
			rest = rest[n:]
		}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
