package ort

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// newStrings makes an OrtValue of strings, which belong to the engine. They may
// hold any bytes, zeros too.
func (e *Engine) newStrings(t tensor.Tensor) (handle, error) {
	list, err := t.Strings()
	if err != nil {
		return 0, err
	}
	var value handle
	err = e.check(e.api.CreateTensorAsOrtValue(e.heap, first(t.Shape), uintptr(len(t.Shape)), int32(t.Type), &value))
	if err != nil {
		return 0, err
	}
	for i, text := range list {
		var buffer unsafe.Pointer
		err := e.check(e.api.GetResizedStringTensorElementBuffer(value, uintptr(i), uintptr(len(text)), &buffer))
		if err != nil {
			e.api.ReleaseValue(value)
			return 0, fmt.Errorf("string %d: %w", i, err)
		}
		copy(unsafe.Slice((*byte)(buffer), len(text)), text)
	}
	return value, nil
}

// readStrings encodes the strings of an OrtValue as tensor.Tensor holds them.
func (e *Engine) readStrings(value handle, info tensor.Info) ([]byte, error) {
	count, err := info.Elements()
	if err != nil || count == 0 {
		return []byte{}, err
	}
	var size uintptr
	if err := e.check(e.api.GetStringTensorDataLength(value, &size)); err != nil {
		return nil, err
	}
	text := make([]byte, size+1) // one more, so that there is an address
	offsets := make([]uintptr, count, count+1)
	err = e.check(e.api.GetStringTensorContent(value, &text[0], size, &offsets[0], uintptr(count)))
	if err != nil {
		return nil, err
	}
	offsets = append(offsets, size)
	data := make([]byte, 0, int64(size)+4*count)
	for i := range count {
		from, to := offsets[i], offsets[i+1]
		if from > to || to > size || to-from > math.MaxUint32 {
			return nil, errors.New("the engine gave strings that overlap or are too long")
		}
		data = tensor.AppendString(data, text[from:to])
	}
	return data, nil
}
