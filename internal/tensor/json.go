package tensor

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// EncodeJSON writes tensors for people and scripts: a list of
// {"name", "type", "shape", "data"}, the data one flat list in row-major order.
// Numbers read back as the same values of their type; NaN and the infinities are
// strings. Bytes of strings that are no UTF-8 become U+FFFD.
func EncodeJSON(tensors []Tensor) ([]byte, error) {
	out := []byte("[")
	for i, t := range tensors {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendTensor(out, t); err != nil {
			return nil, err
		}
	}
	return append(out, "\n]"...), nil
}

func appendTensor(out []byte, t Tensor) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	name, err := json.Marshal(t.Name)
	if err != nil {
		return nil, err
	}
	shape, err := json.Marshal(append([]int64{}, t.Shape...)) // a scalar's is [], not null
	if err != nil {
		return nil, err
	}
	out = fmt.Appendf(out, "\n  {\"name\": %s, \"type\": %q, \"shape\": %s, \"data\": [", name, t.Type, shape)
	if out, err = appendData(out, t); err != nil {
		return nil, err
	}
	return append(out, "]}"...), nil
}

func appendData(out []byte, t Tensor) ([]byte, error) {
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	var texts []string
	if t.Type == String {
		if texts, err = t.Strings(); err != nil {
			return nil, err
		}
	}
	for i := range int(n) {
		if i > 0 {
			out = append(out, ", "...)
		}
		if out, err = appendElement(out, t, texts, i); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return out, nil
}

func appendElement(out []byte, t Tensor, texts []string, i int) ([]byte, error) {
	switch t.Type {
	case String:
		text, err := json.Marshal(texts[i])
		return append(out, text...), err
	case Bool:
		return strconv.AppendBool(out, t.Data[i] != 0), nil
	case Int64:
		return strconv.AppendInt(out, int64(wide(t.Data, i)), 10), nil
	case Uint64:
		return strconv.AppendUint(out, wide(t.Data, i), 10), nil
	}
	x, err := value(t.Type, t.Data, i)
	if err != nil {
		return nil, err
	}
	switch t.Type {
	case Float32:
		return appendFloat(out, x, 32), nil
	case Float16, BFloat16, Float64:
		return appendFloat(out, x, 64), nil
	}
	return strconv.AppendInt(out, int64(x), 10), nil
}

// appendFloat writes the shortest number that reads back as the same float.
func appendFloat(out []byte, x float64, bits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.AppendQuote(out, strconv.FormatFloat(x, 'g', -1, 64))
	}
	return strconv.AppendFloat(out, x, 'g', -1, bits)
}
