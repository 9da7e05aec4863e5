package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

const npyMagic = "\x93NUMPY"

// maxNPYHeader bounds the header, which only names a type and a shape.
const maxNPYHeader = 64 << 10

// maxNPYRank is what NumPy itself allows.
const maxNPYRank = 64

// npyTypes are NumPy's type codes, without the byte order.
var npyTypes = map[string]Type{
	"f4": Float32, "f8": Float64, "f2": Float16,
	"i1": Int8, "i2": Int16, "i4": Int32, "i8": Int64,
	"u1": Uint8, "u2": Uint16, "u4": Uint32, "u8": Uint64,
	"b1": Bool, "c8": Complex64, "c16": Complex128,
}

// npyHeader is what the header of a .npy file says.
type npyHeader struct {
	Info
	bigEndian bool
	fortran   bool // the first index changes fastest
}

// ReadNPY reads a .npy file, of any version, byte order and memory order. The
// tensor has no name.
func ReadNPY(r io.Reader) (Tensor, error) {
	text, err := readNPYHeader(r)
	if err != nil {
		return Tensor{}, err
	}
	header, err := parseNPYHeader(text)
	if err != nil {
		return Tensor{}, err
	}
	size, err := header.Bytes()
	if err != nil {
		return Tensor{}, err
	}
	var data bytes.Buffer // grows with what is there, not with what the header claims
	n, err := io.CopyN(&data, r, size)
	if errors.Is(err, io.EOF) {
		return Tensor{}, fmt.Errorf("the .npy file is cut off: shape %v needs %d bytes of data, and there are %d", header.Shape, size, n)
	}
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{Info: header.Info, Data: data.Bytes()}
	if header.bigEndian {
		swapBytes(t.Data, t.Type)
	}
	if header.fortran {
		t.Data = rowMajor(t)
	}
	return t, nil
}

func readNPYHeader(r io.Reader) (string, error) {
	var start [8]byte
	if n, err := io.ReadFull(r, start[:]); err != nil && !endOfFile(err) {
		return "", fmt.Errorf("read the .npy file: %w", err)
	} else if n < len(start) || string(start[:6]) != npyMagic {
		return "", errors.New("this is no .npy file: it does not begin with \\x93NUMPY")
	}
	size := make([]byte, 2) // the length of the header
	switch start[6] {
	case 1:
	case 2, 3:
		size = make([]byte, 4)
	default:
		return "", fmt.Errorf(".npy format version %d.%d is not known: save with NumPy's default version", start[6], start[7])
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return "", fmt.Errorf("the header of the .npy file is cut off: %w", err)
	}
	length := binary.LittleEndian.Uint32(append(size, 0, 0))
	if length > maxNPYHeader {
		return "", fmt.Errorf("the header of the .npy file claims %d bytes, more than any shape needs", length)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", fmt.Errorf("the header of the .npy file is cut off: %w", err)
	}
	return string(header), nil
}

func endOfFile(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// The three entries of the header, a Python dictionary.
var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z]\d*)['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([\d,\sL]*)\)`)
)

func parseNPYHeader(text string) (npyHeader, error) {
	descr, fortran, shape := npyDescr.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return npyHeader{}, fmt.Errorf("the header of the .npy file is not one simple array: %.200q", strings.TrimSpace(text))
	}
	h := npyHeader{bigEndian: descr[1] == ">", fortran: fortran[1] == "True"}
	var ok bool
	if h.Type, ok = npyTypes[descr[2]]; !ok {
		return npyHeader{}, fmt.Errorf("arrays of NumPy type %q are not read: convert with .astype('float32')", descr[2])
	}
	var err error
	h.Shape, err = parseNPYShape(shape[1])
	return h, err
}

func parseNPYShape(tuple string) ([]int64, error) {
	shape := []int64{}
	for part := range strings.SplitSeq(tuple, ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "L") // Python 2 wrote 3L
		if part == "" {
			continue
		}
		size, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the shape in the header of the .npy file: %w", err)
		}
		shape = append(shape, size)
	}
	if len(shape) > maxNPYRank {
		return nil, fmt.Errorf("the shape in the header of the .npy file has %d dimensions, and NumPy's have at most %d", len(shape), maxNPYRank)
	}
	return shape, nil
}

// swapBytes turns big-endian elements into little-endian ones. A complex number
// is two elements.
func swapBytes(data []byte, t Type) {
	width := t.Bits() / 8
	if t == Complex64 || t == Complex128 {
		width /= 2
	}
	for at := 0; at+width <= len(data); at += width {
		slices.Reverse(data[at : at+width])
	}
}

// rowMajor reorders data whose first index changes fastest.
func rowMajor(t Tensor) []byte {
	width := t.Type.Bits() / 8
	out := make([]byte, 0, len(t.Data))
	index := make([]int64, len(t.Shape))
	for len(out) < len(t.Data) {
		at, stride := int64(0), int64(1)
		for i, size := range t.Shape {
			at += index[i] * stride
			stride *= size
		}
		out = append(out, t.Data[at*int64(width):(at+1)*int64(width)]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < t.Shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return out
}
