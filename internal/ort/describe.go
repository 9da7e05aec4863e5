package ort

import (
	"fmt"
	"unsafe"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// port is an input or an output of a session.
type port struct {
	info   tensor.Info
	kind   kind
	ranked bool // the number of dimensions is known
}

// kind is what a value is (ONNXType of onnxruntime_c_api.h).
type kind int32

const kindTensor kind = 1

func (k kind) String() string {
	names := [...]string{"of unknown kind", "a tensor", "a sequence", "a map", "an opaque value", "a sparse tensor", "an optional value"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("of kind %d", int32(k))
	}
	return names[k]
}

// describe reads the session's inputs and outputs.
func (s *Session) describe() (err error) {
	api := s.engine.api
	if s.inputs, err = s.ports(api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo); err != nil {
		return fmt.Errorf("read the model's inputs: %w", err)
	}
	if s.outputs, err = s.ports(api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo); err != nil {
		return fmt.Errorf("read the model's outputs: %w", err)
	}
	return nil
}

func (s *Session) ports(count getCount, name getPortName, portType getPortType) ([]port, error) {
	e := s.engine
	var n uintptr
	if err := e.check(count(s.handle, &n)); err != nil {
		return nil, err
	}
	list := make([]port, n)
	for i := range list {
		var text unsafe.Pointer
		if err := e.check(name(s.handle, uintptr(i), e.heap, &text)); err != nil {
			return nil, err
		}
		list[i].info.Name = goString(text)
		if err := e.check(e.api.AllocatorFree(e.heap, text)); err != nil {
			return nil, err
		}
		var info handle
		if err := e.check(portType(s.handle, uintptr(i), &info)); err != nil {
			return nil, err
		}
		err := e.describePort(info, &list[i])
		e.api.ReleaseTypeInfo(info)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", list[i].info.Name, err)
		}
	}
	return list, nil
}

// describePort reads an OrtTypeInfo.
func (e *Engine) describePort(info handle, p *port) error {
	var k int32
	if err := e.check(e.api.GetOnnxTypeFromTypeInfo(info, &k)); err != nil {
		return err
	}
	if p.kind = kind(k); p.kind != kindTensor {
		return nil
	}
	var shape handle // belongs to info
	if err := e.check(e.api.CastTypeInfoToTensorInfo(info, &shape)); err != nil {
		return err
	}
	var err error
	if p.info.Type, p.info.Shape, err = e.typeAndShape(shape); err != nil {
		return err
	}
	p.ranked = len(p.info.Shape) > 0 || e.api.hasShape == nil || e.api.hasShape(shape)
	if !p.ranked {
		p.info.Shape = []int64{tensor.Unknown}
	}
	return nil
}

// typeAndShape reads an OrtTensorTypeAndShapeInfo.
func (e *Engine) typeAndShape(info handle) (tensor.Type, []int64, error) {
	var element int32
	if err := e.check(e.api.GetTensorElementType(info, &element)); err != nil {
		return 0, nil, err
	}
	var rank uintptr
	if err := e.check(e.api.GetDimensionsCount(info, &rank)); err != nil {
		return 0, nil, err
	}
	shape := make([]int64, rank)
	if rank > 0 {
		if err := e.check(e.api.GetDimensions(info, &shape[0], rank)); err != nil {
			return 0, nil, err
		}
	}
	for i, size := range shape {
		if size < 0 {
			shape[i] = tensor.Unknown
		}
	}
	return tensor.Type(element), shape, nil
}

// goString copies a C string.
func goString(text unsafe.Pointer) string {
	if text == nil {
		return ""
	}
	var length int
	for *(*byte)(unsafe.Add(text, length)) != 0 {
		length++
	}
	return string(unsafe.Slice((*byte)(text), length))
}
