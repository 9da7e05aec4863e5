package tensor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// EncodeJSON writes tensors for people and scripts: a list of
// {"name", "type", "shape", "data"}, the data one flat list in row-major order.
// Numbers read back as the same values; NaN and the infinities are strings.
func EncodeJSON(tensors []Tensor) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("[")
	for i, t := range tensors {
		if i > 0 {
			out.WriteString(",")
		}
		if err := encodeTensor(&out, t); err != nil {
			return nil, err
		}
	}
	out.WriteString("\n]")
	return out.Bytes(), nil
}

func encodeTensor(out *bytes.Buffer, t Tensor) error {
	if err := t.Check(); err != nil {
		return err
	}
	name, err := json.Marshal(t.Name)
	if err != nil {
		return err
	}
	shape := t.Shape
	if shape == nil {
		shape = []int64{}
	}
	sizes, err := json.Marshal(shape)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  {\"name\": %s, \"type\": %q, \"shape\": %s, \"data\": [", name, t.Type, sizes)
	if err := encodeData(out, t); err != nil {
		return err
	}
	out.WriteString("]}")
	return nil
}

func encodeData(out *bytes.Buffer, t Tensor) error {
	n, err := t.Elements()
	if err != nil {
		return err
	}
	var texts []string
	if t.Type == String {
		if texts, err = t.Strings(); err != nil {
			return err
		}
	}
	for i := range int(n) {
		if i > 0 {
			out.WriteString(", ")
		}
		element, err := encodeElement(t, texts, i)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		out.Write(element)
	}
	return nil
}

func encodeElement(t Tensor, texts []string, i int) ([]byte, error) {
	switch t.Type {
	case String:
		return json.Marshal(texts[i])
	case Bool:
		return strconv.AppendBool(nil, t.Data[i] != 0), nil
	case Int64:
		return strconv.AppendInt(nil, int64(wide(t.Data, i)), 10), nil
	case Uint64:
		return strconv.AppendUint(nil, wide(t.Data, i), 10), nil
	}
	x, err := value(t.Type, t.Data, i)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(x, 'g', -1, 64)), nil
	}
	switch t.Type {
	case Float32:
		return strconv.AppendFloat(nil, x, 'g', -1, 32), nil
	case Float16, BFloat16, Float64:
		return strconv.AppendFloat(nil, x, 'g', -1, 64), nil
	}
	return strconv.AppendInt(nil, int64(x), 10), nil
}
