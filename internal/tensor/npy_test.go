package tensor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// npy puts a file together by hand: magic, version, length of the header, header.
func npy(version byte, header, data string) string {
	length := binary.LittleEndian.AppendUint16(nil, uint16(len(header)))
	if version > 1 {
		length = binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	}
	return "\x93NUMPY" + string([]byte{version, 0}) + string(length) + header + data
}

// Files byte by byte, with the values that they hold in row-major order.
func TestReadNPY(t *testing.T) {
	const vector = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
	type dims = []int64
	tests := map[string]struct {
		file string
		want tensor.Tensor
	}{
		"version 1": {npy(1, vector, "\x00\x00\x80\x3f\x00\x00\x00\xc0"), of(tensor.Float32, dims{2}, []float32{1, -2})},
		"version 2": {npy(2, vector, "\x00\x00\x80\x3f\x00\x00\x00\xc0"), of(tensor.Float32, dims{2}, []float32{1, -2})},
		"version 3": {npy(3, vector, "\x00\x00\x80\x3f\x00\x00\x00\xc0"), of(tensor.Float32, dims{2}, []float32{1, -2})},
		"padded":    {npy(1, strings.TrimSpace(vector)+strings.Repeat(" ", 60)+"\n", "\x00\x00\x80\x3f\x00\x00\x00\xc0"), of(tensor.Float32, dims{2}, []float32{1, -2})},
		"an array follows": {npy(1, vector, "\x00\x00\x80\x3f\x00\x00\x00\xc0") + npy(1, vector, ""),
			of(tensor.Float32, dims{2}, []float32{1, -2})},
		"keys in another order, other quotes": {npy(1, `{"shape":(1,2),"fortran_order":False,"descr":"<i2"}`, "\x01\x00\xff\xff"),
			of(tensor.Int16, dims{1, 2}, []int16{1, -1})},
		"big endian": {npy(1, "{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", "\x00\x00\x01\x02\xff\xff\xff\xfe"),
			of(tensor.Int32, dims{2}, []int32{258, -2})},
		"big-endian complex": {npy(1, "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }", "\x3f\x80\x00\x00\x40\x00\x00\x00"),
			of(tensor.Complex64, dims{1}, []complex64{1 + 2i})},
		"big-endian bytes": {npy(1, "{'descr': '>u1', 'fortran_order': False, 'shape': (2,), }", "\x01\x02"), of(tensor.Uint8, dims{2}, []uint8{1, 2})},
		"Fortran order": {npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", "\x01\x04\x02\x05\x03\x06"),
			of(tensor.Uint8, dims{2, 3}, []uint8{1, 2, 3, 4, 5, 6})},
		"Fortran order, three dimensions": {npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 2), }", "\x01\x03\x02\x04"),
			of(tensor.Uint8, dims{2, 1, 2}, []uint8{1, 2, 3, 4})},
		"Fortran order, big endian": {npy(1, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", "\x00\x01\x00\x03\x00\x02\x00\x04"),
			of(tensor.Int16, dims{2, 2}, []int16{1, 2, 3, 4})},
		"Fortran order, empty":  {npy(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 0), }", ""), of(tensor.Float64, dims{3, 0}, nil)},
		"Fortran order, scalar": {npy(1, "{'descr': '<i2', 'fortran_order': True, 'shape': (), }", "\x05\x00"), of(tensor.Int16, dims{}, []int16{5})},
		"bool":                  {npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "\x00\x01"), of(tensor.Bool, dims{2}, []byte{0, 1})},
		"scalar":                {npy(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }", "\x2a\x00\x00\x00\x00\x00\x00\x00"), of(tensor.Int64, dims{}, []int64{42})},
		"half":                  {npy(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", "\x00\x3c"), of(tensor.Float16, dims{1}, []uint16{0x3c00})},
		"empty":                 {npy(1, "{'descr': '<u4', 'fortran_order': False, 'shape': (0, 9), }", ""), of(tensor.Uint32, dims{0, 9}, nil)},
		"empty, absurd":         {npy(1, "{'descr': '<u4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904, 0), }", ""), of(tensor.Uint32, dims{1 << 62, 1 << 62, 0}, nil)},
		"long of Python 2":      {npy(1, "{'descr': '<u2', 'fortran_order': False, 'shape': (1L, 2L), }", "\x01\x00\x02\x00"), of(tensor.Uint16, dims{1, 2}, []uint16{1, 2})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tensor.ReadNPY(iotest.OneByteReader(strings.NewReader(test.file)))
			if err != nil {
				t.Fatal(err)
			}
			test.want.Name = ""
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadNPYRefuses(t *testing.T) {
	header := func(descr, shape string) string {
		return npy(1, "{'descr': "+descr+", 'fortran_order': False, 'shape': "+shape+", }", "\x00\x00\x00\x00")
	}
	tests := map[string]struct{ file, want string }{
		"nothing":            {"", "no .npy file"},
		"text":               {"1, 2, 3\n4, 5, 6\n", "no .npy file"},
		"zip":                {"PK\x03\x04aaaaaaaaaaaa", "no .npy file"},
		"magic only":         {"\x93NUMPY", "no .npy file"},
		"version 9":          {npy(9, "", ""), "version 9.0 is not known"},
		"no length":          {"\x93NUMPY\x01\x00\x05", "header of the .npy file is cut off"},
		"header cut off":     {"\x93NUMPY\x01\x00\x50\x00{'descr': '<f4'", "header of the .npy file is cut off"},
		"huge header":        {"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "claims 4294967295 bytes"},
		"no dictionary":      {npy(1, "hello", ""), `not one simple array: "hello"`},
		"no shape":           {npy(1, "{'descr': '<f4', 'fortran_order': False, }", ""), "not one simple array"},
		"structured":         {header("[('a', '<f4'), ('b', '<i4')]", "(1,)"), "not one simple array"},
		"objects":            {header("'|O'", "(1,)"), `NumPy type "O" are not read`},
		"strings":            {header("'<U10'", "(1,)"), `NumPy type "U10" are not read`},
		"dates":              {header("'<M8[ns]'", "(1,)"), "not one simple array"},
		"long doubles":       {header("'<f16'", "(1,)"), ".astype('float32')"},
		"negative":           {header("'<f4'", "(-1,)"), "not one simple array"},
		"size without end":   {header("'<f4'", "(99999999999999999999,)"), "value out of range"},
		"two sizes":          {header("'<f4'", "(3 4,)"), "invalid syntax"},
		"data cut off":       {header("'<f4'", "(2,)"), "shape [2] needs 8 bytes of data, and there are 4"},
		"far too large":      {header("'<f4'", "(1000000, 1000000)"), "needs 4000000000000 bytes of data, and there are 4"},
		"too large to count": {header("'<f4'", "(9223372036854775807, 3)"), "63 bits"},
		"too many bytes":     {header("'<f8'", "(9223372036854775807,)"), "63 bits"},
		"many dimensions":    {header("'|u1'", "("+strings.Repeat("1,", 65)+")"), "65 dimensions"},
		"long nonsense":      {npy(1, strings.Repeat("x", 10000), ""), `xxx"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tensor.ReadNPY(strings.NewReader(test.file))
			wantError(t, err, test.want)
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("%d characters of error", len(err.Error()))
			}
		})
	}
}

// A shape of 10^12 elements before a few bytes of data must not take memory.
func TestReadNPYTakesNoMemoryForClaims(t *testing.T) {
	file := npy(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (1000000, 1000000), }", "0123456789")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := tensor.ReadNPY(strings.NewReader(file))
	runtime.ReadMemStats(&after)
	wantError(t, err, "needs 8000000000000 bytes of data, and there are 10")
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("%d bytes were allocated", taken)
	}
}

// A failing disk is not called a bad file.
func TestReadNPYOfFailingReader(t *testing.T) {
	file := npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", "\x01\x02\x03\x04")
	broken := errors.New("input/output error")
	for n := range len(file) {
		_, err := tensor.ReadNPY(io.MultiReader(strings.NewReader(file[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// What NumPy writes itself: np.save of np.arange(3, dtype='float32').
func TestWriteNPY(t *testing.T) {
	var got bytes.Buffer
	if err := tensor.WriteNPY(&got, of(tensor.Float32, []int64{3}, []float32{0, 1, 2})); err != nil {
		t.Fatal(err)
	}
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }" + strings.Repeat(" ", 60) + "\n" +
		"\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

// The header is a Python dictionary, and ends in a line feed at a multiple of 64.
func TestWriteNPYHeader(t *testing.T) {
	long := make([]int64, 64)
	for i := range long {
		long[i] = 1
	}
	tests := map[string]struct {
		x    tensor.Tensor
		want string
	}{
		"scalar": {of(tensor.Int64, nil, []int64{1}), "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"},
		"vector": {of(tensor.Bool, []int64{1}, []byte{1}), "{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }"},
		"matrix": {of(tensor.Int8, []int64{1, 2}, []int8{1, 2}), "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2), }"},
		"empty":  {of(tensor.Complex128, []int64{0, 2}, nil), "{'descr': '<c16', 'fortran_order': False, 'shape': (0, 2), }"},
		"long":   {of(tensor.Uint8, long, []byte{1}), "{'descr': '|u1', 'fortran_order': False, 'shape': (" + strings.Repeat("1, ", 63) + "1), }"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := tensor.WriteNPY(&out, test.x); err != nil {
				t.Fatal(err)
			}
			begin := 10 + int(binary.LittleEndian.Uint16(out.Bytes()[8:]))
			if begin%64 != 0 {
				t.Errorf("data begin at byte %d", begin)
			}
			header, ends := strings.CutSuffix(out.String()[10:begin], "\n")
			if !ends || strings.TrimRight(header, " ") != test.want {
				t.Errorf("header %q, want %q", header, test.want)
			}
			if !bytes.Equal(out.Bytes()[begin:], test.x.Data) {
				t.Errorf("data % x", out.Bytes()[begin:])
			}
		})
	}
}

func TestWriteNPYRefuses(t *testing.T) {
	none := tensor.Tensor{Info: tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{2}}}
	for want, x := range map[string]tensor.Tensor{
		"NumPy has no type string":   words([]int64{1}, "a"),
		"NumPy has no type bfloat16": of(tensor.BFloat16, nil, []uint16{1}),
		"NumPy has no type int4":     of(tensor.Int4, []int64{2}, []byte{1}),
		"there are 0":                none,
	} {
		var out bytes.Buffer
		wantError(t, tensor.WriteNPY(&out, x), `tensor "x"`, want)
		if out.Len() > 0 {
			t.Errorf("%s: %d bytes were written", want, out.Len())
		}
	}
	x := of(tensor.Uint8, []int64{2}, []byte{1, 2})
	for n := range 2 {
		if err := tensor.WriteNPY(&fullDisk{after: n}, x); !errors.Is(err, errFull) {
			t.Errorf("error %v", err)
		}
	}
}

var errFull = errors.New("no space left on device")

// fullDisk takes some writes and no more.
type fullDisk struct{ after int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.after == 0 {
		return 0, errFull
	}
	d.after--
	return len(p), nil
}

// npyTensors draws tensors of all types that NumPy has.
func npyTensors() *rapid.Generator[tensor.Tensor] {
	return rapid.Custom(func(t *rapid.T) tensor.Tensor {
		x := tensor.Tensor{Info: tensor.Info{
			Type: rapid.SampledFrom([]tensor.Type{
				tensor.Float16, tensor.Float32, tensor.Float64, tensor.Bool, tensor.Complex64, tensor.Complex128,
				tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
			}).Draw(t, "type"),
			Shape: rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 4).Draw(t, "shape"),
		}}
		size, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		x.Data = rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
		return x
	})
}

func TestNPYRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := npyTensors().Draw(t, "tensor")
		var file bytes.Buffer
		if err := tensor.WriteNPY(&file, want); err != nil {
			t.Fatal(err)
		}
		got, err := tensor.ReadNPY(&file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if file.Len() != 0 {
			t.Errorf("%d bytes were not read", file.Len())
		}
	})
}

// The same array stored column by column, or with the bytes of every element
// turned round, is the same tensor.
func TestNPYOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(0, 6).Draw(t, "rows"), rapid.IntRange(0, 6).Draw(t, "columns")
		values := rapid.SliceOfN(rapid.Int32(), rows*columns, rows*columns).Draw(t, "values")
		var data bytes.Buffer
		for c := range columns {
			for r := range rows {
				_ = binary.Write(&data, binary.BigEndian, values[r*columns+c]) // a Buffer takes everything
			}
		}
		want := of(tensor.Int32, []int64{int64(rows), int64(columns)}, values)
		want.Name = ""
		var header bytes.Buffer
		if err := tensor.WriteNPY(&header, want); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("'<i4'", "'>i4'", "False", "True ").Replace(header.String()[:128])
		got, err := tensor.ReadNPY(strings.NewReader(text + data.String()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Whatever a file holds, it is refused or gives a whole tensor, which then goes
// out and comes back unchanged.
func FuzzReadNPY(f *testing.F) {
	for _, seed := range []string{
		npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "\x00\x00\x80\x3f\x00\x00\x00\xc0"),
		npy(2, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", "\x00\x01\x00\x03\x00\x02\x00\x04"),
		npy(3, "{'descr': '|b1', 'fortran_order': True, 'shape': (), }", "\x01"),
		npy(1, "{'descr': '>c16', 'fortran_order': True, 'shape': (1000000, 1000000), }", "0123456789"),
		npy(1, "{'descr': '<u8', 'fortran_order': False, 'shape': (9223372036854775807L, 0), }", ""),
		"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		x, err := tensor.ReadNPY(bytes.NewReader(file))
		if err != nil {
			return
		}
		if err := x.Check(); err != nil {
			t.Fatal(err)
		}
		if len(x.Data) > len(file) {
			t.Fatalf("%d bytes of data from a file of %d", len(x.Data), len(file))
		}
		var out bytes.Buffer
		if err := tensor.WriteNPY(&out, x); err != nil {
			t.Fatal(err)
		}
		back, err := tensor.ReadNPY(&out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
