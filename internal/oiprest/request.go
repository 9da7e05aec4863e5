package oiprest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Parameters of the binary tensor data extension.
const (
	binarySize   = "binary_data_size"   // of an input or output: its bytes are binary data
	binaryWanted = "binary_data"        // of a requested output
	binaryAll    = "binary_data_output" // of a request, for outputs that do not say
)

// body is the JSON of a request.
type body struct {
	ID         string         `json:"id"`
	Parameters map[string]any `json:"parameters"`
	Inputs     []input        `json:"inputs"`
	Outputs    []struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"outputs"`
}

type input struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters map[string]any  `json:"parameters"`
	Data       json.RawMessage `json:"data"`
}

// parseRequest reads a request's JSON and the binary data that follows it.
func parseRequest(head, tail []byte) (*inferRequest, error) {
	var b body
	d := json.NewDecoder(bytes.NewReader(head))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		return nil, badRequest("the request is no JSON of the protocol: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, badRequest("something follows the end of the JSON: binary data needs the header %s", headerLength)
	}
	tensors, rest, err := b.tensors(tail)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if len(rest) > 0 {
		return nil, badRequest("%d bytes of binary data are left over: no input has them in its %s", len(rest), binarySize)
	}
	q := &inferRequest{message: &oippb.ModelInferRequest{Id: b.ID}, binary: map[string]bool{}}
	oippb.SetInputs(q.message, tensors)
	return q, q.want(b)
}

// tensors reads the inputs, which take their binary data off tail in their order.
func (b body) tensors(tail []byte) (tensors []tensor.Tensor, rest []byte, err error) {
	for i, in := range b.Inputs {
		t := tensor.Tensor{Info: tensor.Info{Name: in.Name, Shape: in.Shape}}
		if in.Name == "" {
			return nil, nil, fmt.Errorf("inputs[%d] has no name", i)
		}
		if t.Type, err = oippb.ParseDatatype(in.Datatype); err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		size, binary := in.Parameters[binarySize]
		switch {
		case binary && in.Data != nil:
			return nil, nil, fmt.Errorf("input %q has both data and %s", in.Name, binarySize)
		case binary:
			n, err := strconv.ParseUint(fmt.Sprint(size), 10, 63)
			if err != nil || n > uint64(len(tail)) {
				return nil, nil, fmt.Errorf("input %q: %s is %v, but %d bytes of binary data are left", in.Name, binarySize, size, len(tail))
			}
			t.Data, tail = tail[:n:n], tail[n:]
			err = t.Check()
			if err != nil {
				return nil, nil, err
			}
		default:
			if t, err = tensor.ParseData(t.Info, in.Data); err != nil {
				return nil, nil, err
			}
		}
		tensors = append(tensors, t)
	}
	return tensors, tail, nil
}

// want notes the parameters, which outputs are asked for, and in which form.
func (q *inferRequest) want(b body) error {
	q.binary[""] = b.Parameters[binaryAll] == true
	delete(b.Parameters, binaryAll)
	q.message.Parameters = parameters(b.Parameters)
	for i, o := range b.Outputs {
		if o.Name == "" {
			return badRequest("outputs[%d] has no name", i)
		}
		q.message.Outputs = append(q.message.Outputs, &oippb.ModelInferRequest_InferRequestedOutputTensor{Name: o.Name})
		if wanted, ok := o.Parameters[binaryWanted].(bool); ok {
			q.binary[o.Name] = wanted
		}
	}
	return nil
}

// parameters are those of JSON as gRPC carries them; lists and objects have no
// form there and are left out.
func parameters(from map[string]any) map[string]*oippb.InferParameter {
	to := map[string]*oippb.InferParameter{}
	for name, value := range from {
		switch v := value.(type) {
		case bool:
			to[name] = &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: v}}
		case string:
			to[name] = &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_StringParam{StringParam: v}}
		case json.Number:
			if n, err := v.Int64(); err == nil {
				to[name] = &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: n}}
			} else if x, err := v.Float64(); err == nil {
				to[name] = &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_DoubleParam{DoubleParam: x}}
			}
		}
	}
	return to
}
