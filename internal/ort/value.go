package ort

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// newValue makes an OrtValue over a tensor's own bytes, which the pinner holds in
// place; the engine only reads them. Strings are copied.
func (e *Engine) newValue(pinner *runtime.Pinner, t tensor.Tensor) (handle, error) {
	if t.Type == tensor.String {
		return e.newStrings(t)
	}
	data := aligned(t.Data, t.Type)
	pinner.Pin(&data[0])
	var value handle
	err := e.check(e.api.CreateTensorWithDataAsOrtValue(e.memory, &data[0], uintptr(len(t.Data)),
		first(t.Shape), uintptr(len(t.Shape)), int32(t.Type), &value))
	return value, err
}

// aligned gives bytes at an address that is a multiple of the element size, as
// the engine's kernels expect. An empty tensor still needs some address.
func aligned(data []byte, t tensor.Type) []byte {
	if len(data) == 0 {
		return make([]byte, 1)
	}
	size := uintptr(max(t.Bits()/8, 1))
	if uintptr(unsafe.Pointer(&data[0]))%min(size, 8) == 0 {
		return data
	}
	return bytes.Clone(data) // allocations are aligned to 8 bytes from 8 bytes on
}

func (e *Engine) releaseValues(values []handle) {
	for _, v := range values {
		if v != 0 {
			e.api.ReleaseValue(v)
		}
	}
}

// readValue copies an OrtValue.
func (e *Engine) readValue(value handle, name string, take func(n int) []byte) (tensor.Tensor, error) {
	if err := e.checkTensor(value); err != nil {
		return tensor.Tensor{}, err
	}
	var info handle
	if err := e.check(e.api.GetTensorTypeAndShape(value, &info)); err != nil {
		return tensor.Tensor{}, err
	}
	defer e.api.ReleaseTensorTypeAndShapeInfo(info)
	t := tensor.Tensor{Info: tensor.Info{Name: name}}
	var err error
	if t.Type, t.Shape, err = e.typeAndShape(info); err != nil {
		return tensor.Tensor{}, err
	}
	if t.Type == tensor.String {
		t.Data, err = e.readStrings(value, t.Info)
	} else {
		t.Data, err = e.readBytes(value, t.Info, take)
	}
	return t, err
}

func (e *Engine) checkTensor(value handle) error {
	var there, isTensor int32
	if err := e.check(e.api.HasValue(value, &there)); err != nil {
		return err
	}
	if there == 0 {
		return errors.New("the model left this optional output empty")
	}
	if err := e.check(e.api.IsTensor(value, &isTensor)); err != nil {
		return err
	}
	if isTensor == 0 {
		return errors.New("the value is no tensor")
	}
	return nil
}

func (e *Engine) readBytes(value handle, info tensor.Info, take func(n int) []byte) ([]byte, error) {
	size, err := info.Bytes()
	if err != nil {
		return nil, err
	}
	if size > math.MaxInt {
		return nil, fmt.Errorf("%d bytes are more than this machine can address", size)
	}
	if size == 0 {
		return []byte{}, nil
	}
	var data unsafe.Pointer
	if err := e.check(e.api.GetTensorMutableData(value, &data)); err != nil {
		return nil, err
	}
	out := take(int(size))
	copy(out, unsafe.Slice((*byte)(data), int(size)))
	clearPadding(out, info)
	return out, nil
}

// clearPadding clears the bits after the last element of a packed type, which the
// engine leaves as they were.
func clearPadding(data []byte, info tensor.Info) {
	count, err := info.Elements()
	if err != nil {
		return
	}
	if used := count * int64(info.Type.Bits()) % 8; used != 0 {
		data[len(data)-1] &= 1<<used - 1
	}
}
