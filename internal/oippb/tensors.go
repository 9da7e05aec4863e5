package oippb

import (
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Datatype is how a request names an element type: the protocol's name, or the
// ONNX one ("complex64", "int4") where the protocol has none.
func Datatype(t tensor.Type) string {
	if name := t.Datatype(); name != "" {
		return name
	}
	return t.String()
}

// ParseDatatype finds the type that Datatype names.
func ParseDatatype(name string) (tensor.Type, error) {
	if t, err := tensor.ParseDatatype(name); err == nil {
		return t, nil
	}
	if t, err := tensor.ParseType(name); err == nil && t.Datatype() == "" {
		return t, nil
	}
	return tensor.Undefined, fmt.Errorf("%q is no datatype of the Open Inference Protocol", name)
}

// SetInputs puts tensors into a request as raw contents. The bytes are shared,
// not copied.
func SetInputs(request *ModelInferRequest, tensors []tensor.Tensor) {
	request.Inputs = make([]*ModelInferRequest_InferInputTensor, len(tensors))
	request.RawInputContents = make([][]byte, len(tensors))
	for i, t := range tensors {
		request.Inputs[i] = &ModelInferRequest_InferInputTensor{
			Name: t.Name, Datatype: Datatype(t.Type), Shape: t.Shape,
		}
		request.RawInputContents[i] = t.Data
	}
}

// SetOutputs puts tensors into a response as raw contents. The bytes are
// shared, not copied.
func SetOutputs(response *ModelInferResponse, tensors []tensor.Tensor) {
	response.Outputs = make([]*ModelInferResponse_InferOutputTensor, len(tensors))
	response.RawOutputContents = make([][]byte, len(tensors))
	for i, t := range tensors {
		response.Outputs[i] = &ModelInferResponse_InferOutputTensor{
			Name: t.Name, Datatype: Datatype(t.Type), Shape: t.Shape,
		}
		response.RawOutputContents[i] = t.Data
	}
}

// Inputs reads the tensors of a request, raw or typed. Names are distinct, and
// every tensor has as many bytes as its type and shape say. Raw contents are
// shared, not copied.
func Inputs(request *ModelInferRequest) ([]tensor.Tensor, error) {
	return tensors("input", request.GetInputs(), request.GetRawInputContents())
}

// Outputs reads the tensors of a response as Inputs does those of a request.
func Outputs(response *ModelInferResponse) ([]tensor.Tensor, error) {
	return tensors("output", response.GetOutputs(), response.GetRawOutputContents())
}

// described is what requests and responses have in common.
type described interface {
	GetName() string
	GetDatatype() string
	GetShape() []int64
	GetContents() *InferTensorContents
}

func tensors[D described](kind string, list []D, raw [][]byte) ([]tensor.Tensor, error) {
	if len(raw) != 0 && len(raw) != len(list) {
		return nil, fmt.Errorf("%d %ss are described, but there are raw contents for %d: there must be one for each, or none at all", len(list), kind, len(raw))
	}
	out := make([]tensor.Tensor, 0, len(list))
	for i, d := range list {
		t, err := describe(d)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", kind, d.GetName(), err)
		}
		if slices.ContainsFunc(out, func(o tensor.Tensor) bool { return o.Name == t.Name }) {
			return nil, fmt.Errorf("%s %q is there twice", kind, t.Name)
		}
		if len(raw) != 0 {
			t.Data, err = rawContents(d, raw[i])
		} else {
			t.Data, err = typedContents(t.Info, d.GetContents())
		}
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", kind, t.Name, err)
		}
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("%s %w", kind, err)
		}
		out = append(out, t)
	}
	return out, nil
}

func describe(d described) (tensor.Tensor, error) {
	if d.GetName() == "" {
		return tensor.Tensor{}, fmt.Errorf("a tensor needs a name")
	}
	typ, err := ParseDatatype(d.GetDatatype())
	if err != nil {
		return tensor.Tensor{}, err
	}
	return tensor.Tensor{Info: tensor.Info{Name: d.GetName(), Type: typ, Shape: d.GetShape()}}, nil
}

func rawContents(d described, raw []byte) ([]byte, error) {
	if d.GetContents() != nil {
		return nil, fmt.Errorf("it has typed contents beside the raw ones: give one of them")
	}
	return raw, nil
}

// Metadata describes tensors as ModelMetadata does.
func Metadata(infos []tensor.Info) []*ModelMetadataResponse_TensorMetadata {
	out := make([]*ModelMetadataResponse_TensorMetadata, len(infos))
	for i, info := range infos {
		out[i] = &ModelMetadataResponse_TensorMetadata{Name: info.Name, Datatype: Datatype(info.Type), Shape: info.Shape}
	}
	return out
}

// Infos reads what Metadata writes.
func Infos(metadata []*ModelMetadataResponse_TensorMetadata) ([]tensor.Info, error) {
	out := make([]tensor.Info, len(metadata))
	for i, m := range metadata {
		typ, err := ParseDatatype(m.GetDatatype())
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", m.GetName(), err)
		}
		out[i] = tensor.Info{Name: m.GetName(), Type: typ, Shape: m.GetShape()}
	}
	return out, nil
}
