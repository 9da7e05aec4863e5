package tensor

import (
	"encoding/binary"
	"fmt"
)

// Check says whether the tensor is whole: a type that ONNX knows, a shape without
// unknown dimensions, and exactly the bytes that these ask for.
func (t Tensor) Check() error {
	if t.Type == String {
		return t.checkStrings()
	}
	want, err := t.Bytes()
	if err != nil {
		return err
	}
	if int64(len(t.Data)) != want {
		return fmt.Errorf("tensor %q: %s of shape %v takes %d bytes, but there are %d", t.Name, t.Type, t.Shape, want, len(t.Data))
	}
	return nil
}

func (t Tensor) checkStrings() error {
	want, err := t.Elements()
	if err != nil {
		return err
	}
	var found int64
	for rest := t.Data; len(rest) > 0; found++ {
		if _, rest, err = cutString(rest); err != nil {
			return fmt.Errorf("tensor %q: string %d: %w", t.Name, found, err)
		}
	}
	if found != want {
		return fmt.Errorf("tensor %q: shape %v takes %d strings, but there are %d", t.Name, t.Shape, want, found)
	}
	return nil
}

// Strings are the elements of a tensor of strings.
func (t Tensor) Strings() ([]string, error) {
	if t.Type != String {
		return nil, fmt.Errorf("tensor %q: elements are %s, not strings", t.Name, t.Type)
	}
	if err := t.checkStrings(); err != nil {
		return nil, err
	}
	var list []string
	for rest := t.Data; len(rest) > 0; {
		var element []byte
		element, rest, _ = cutString(rest)
		list = append(list, string(element))
	}
	return list, nil
}

// AppendString adds one string element to the bytes of a tensor.
func AppendString[S string | []byte](data []byte, element S) []byte {
	data = binary.LittleEndian.AppendUint32(data, uint32(len(element)))
	return append(data, element...)
}

// cutString splits the first string off encoded ones.
func cutString(data []byte) (element, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, fmt.Errorf("its 4-byte length is cut off after %d", len(data))
	}
	length, data := binary.LittleEndian.Uint32(data), data[4:]
	if uint64(length) > uint64(len(data)) {
		return nil, nil, fmt.Errorf("it is %d bytes long, but %d are left", length, len(data))
	}
	return data[:length], data[length:], nil
}
