package tensor

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteNPY writes a tensor as a .npy file of version 1.0. NumPy has no strings
// and short floats as ONNX has them; those are refused.
func WriteNPY(w io.Writer, t Tensor) error {
	if err := t.Check(); err != nil {
		return err
	}
	code, ok := npyCode(t.Type)
	if !ok {
		return fmt.Errorf("tensor %q: NumPy has no type %s: print it as JSON instead", t.Name, t.Type)
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", code, npyTuple(t.Shape))
	const prefix = len(npyMagic) + 4
	padding := 63 - (prefix+len(header))%64 // the data begins at a multiple of 64
	header += strings.Repeat(" ", padding) + "\n"
	if len(header) > math.MaxUint16 {
		return fmt.Errorf("tensor %q: the shape %v is too long for a .npy file", t.Name, t.Shape)
	}
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	if _, err := w.Write(append(out, header...)); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}

func npyCode(t Type) (string, bool) {
	for code, known := range npyTypes {
		if known != t {
			continue
		}
		if t.Bits() == 8 {
			return "|" + code, true
		}
		return "<" + code, true
	}
	return "", false
}

// npyTuple writes a shape as a Python tuple.
func npyTuple(shape []int64) string {
	var sizes []string
	for _, size := range shape {
		sizes = append(sizes, strconv.FormatInt(size, 10))
	}
	if len(sizes) == 1 {
		return "(" + sizes[0] + ",)"
	}
	return "(" + strings.Join(sizes, ", ") + ")"
}
