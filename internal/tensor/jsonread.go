package tensor

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/x448/float16"
)

// AppendData adds the elements as one flat JSON list to out, as EncodeJSON does.
func (t Tensor) AppendData(out []byte) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	out, err := appendData(append(out, '['), t)
	return append(out, ']'), err
}

// ParseData reads elements from a JSON list, flat or nested, in row-major order.
// Numbers must fit the type; those of floating-point types are rounded to the
// nearest value, and NaN and the infinities are strings.
func ParseData(info Info, list []byte) (Tensor, error) {
	none := Tensor{Info: info}
	want, err := info.Elements()
	if err != nil {
		return none, err
	}
	d := json.NewDecoder(bytes.NewReader(list))
	d.UseNumber()
	t := none
	var found, depth int64
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return none, fmt.Errorf("tensor %q: data: %w", info.Name, err)
		}
		switch token {
		case json.Delim('['):
			depth++
			continue
		case json.Delim(']'):
			depth--
			continue
		}
		if found++; depth == 0 || found > want {
			return none, fmt.Errorf("tensor %q: data: it must be one list of the %d elements of shape %v", info.Name, want, info.Shape)
		}
		if t.Data, err = appendToken(t.Data, info.Type, token); err != nil {
			return none, fmt.Errorf("tensor %q: data: element %d: %w", info.Name, found-1, err)
		}
	}
	if found != want {
		return none, fmt.Errorf("tensor %q: data: shape %v takes %d elements, but there are %d", info.Name, info.Shape, want, found)
	}
	return t, nil
}

// appendToken adds one element to data.
func appendToken(data []byte, t Type, token json.Token) ([]byte, error) {
	switch t {
	case String:
		if text, ok := token.(string); ok {
			return AppendString(data, text), nil
		}
	case Bool:
		if b, ok := token.(bool); ok && b {
			return append(data, 1), nil
		} else if ok {
			return append(data, 0), nil
		}
	case Float16, BFloat16, Float32, Float64:
		return appendFloatToken(data, t, token)
	case Int8, Int16, Int32, Int64:
		if n, ok := token.(json.Number); ok {
			v, err := strconv.ParseInt(n.String(), 10, t.Bits())
			return appendBits(data, t, uint64(v)), numberError(err)
		}
	case Uint8, Uint16, Uint32, Uint64:
		if n, ok := token.(json.Number); ok {
			v, err := strconv.ParseUint(n.String(), 10, t.Bits())
			return appendBits(data, t, v), numberError(err)
		}
	}
	return nil, fmt.Errorf("%v is no %s", token, t)
}

func appendFloatToken(data []byte, t Type, token json.Token) ([]byte, error) {
	text := fmt.Sprint(token)
	if _, number := token.(json.Number); !number {
		if name, ok := token.(string); !ok || name != "NaN" && name != "+Inf" && name != "-Inf" {
			return nil, fmt.Errorf("%v is no %s", token, t)
		}
	}
	bits := min(max(t.Bits(), 32), 64)
	x, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return nil, numberError(err)
	}
	switch t {
	case Float16:
		return appendBits(data, t, uint64(float16.Fromfloat32(float32(x)).Bits())), nil
	case BFloat16:
		return appendBits(data, t, uint64(toBFloat16(float32(x)))), nil
	case Float32:
		return appendBits(data, t, uint64(math.Float32bits(float32(x)))), nil
	}
	return appendBits(data, t, math.Float64bits(x)), nil
}

// toBFloat16 rounds to the nearest bfloat16, ties to even.
func toBFloat16(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40 // quiet
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// appendBits adds the lowest bytes of an element.
func appendBits(data []byte, t Type, bits uint64) []byte {
	var element [8]byte
	binary.LittleEndian.PutUint64(element[:], bits)
	return append(data, element[:t.Bits()/8]...)
}

// numberError leaves the name of the function out of an error of strconv.
func numberError(err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		return fmt.Errorf("%s: %w", number.Num, number.Err)
	}
	return err
}
