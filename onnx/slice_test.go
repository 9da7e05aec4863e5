package onnx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

func smallResNet(t testing.TB) *Chain {
	t.Helper()
	m, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	return mustLoad(t, write(t, m), Options{})
}

// Blobs have the digest and the size they say, and together with small tensors they
// are all weights, each once, however the model is cut.
func TestSlicesHoldEveryWeightOnce(t *testing.T) {
	c := smallResNet(t)
	want := int64(0)
	whole, err := c.Slice(0, len(c.Segments)-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range whole.Weights {
		r, err := blob.Open()
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.New()
		n, err := io.Copy(hash, r)
		_ = r.Close()
		if err != nil || n != blob.Size || hex.EncodeToString(hash.Sum(nil)) != blob.Digest {
			t.Errorf("blob %s of %d bytes: read %d bytes, %v", blob.Digest, blob.Size, n, err)
		}
		want += blob.Size
	}
	for b := 1; b < len(c.Segments); b++ {
		left, right := slicePair(t, c, b)
		var got int64
		for _, blob := range append(left.Weights, right.Weights...) {
			got += blob.Size
		}
		if got != want {
			t.Errorf("cut at %d: %d bytes of weights, want %d", b, got, want)
		}
	}
}

func slicePair(t *testing.T, c *Chain, b int) (left, right *Slice) {
	t.Helper()
	left, err := c.Slice(0, b-1)
	if err != nil {
		t.Fatal(err)
	}
	right, err = c.Slice(b, len(c.Segments)-1)
	if err != nil {
		t.Fatal(err)
	}
	return left, right
}

// Slicing again, from a model read again, gives the same bytes.
func TestSlicingIsDeterministic(t *testing.T) {
	m, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, m)
	one, two := mustLoad(t, path, Options{}), mustLoad(t, path, Options{})
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(0, len(one.Segments)-1).Draw(t, "first")
		last := rapid.IntRange(first, len(one.Segments)-1).Draw(t, "last")
		a, err := one.Slice(first, last)
		if err != nil {
			t.Fatal(err)
		}
		b, err := two.Slice(first, last)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Graph, b.Graph) {
			t.Error("the graphs differ")
		}
		if diff := cmp.Diff(digests(a), digests(b)); diff != "" {
			t.Errorf("weights differ:\n%s", diff)
		}
		if !slices.IsSorted(digests(a)) {
			t.Error("weights are not in order of digest")
		}
	})
}

func digests(s *Slice) []string {
	var list []string
	for _, blob := range s.Weights {
		list = append(list, blob.Digest)
	}
	return list
}

// A slice is a model that this package reads, of the same nodes, with the tensors
// of its cuts as inputs and outputs; and slices cut again do as the whole.
func TestSlicesAreModels(t *testing.T) {
	c := smallResNet(t)
	const first, last = 4, 15
	s, err := c.Slice(first, last)
	if err != nil {
		t.Fatal(err)
	}
	path, err := c.WriteSlice(t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, path, Options{})
	if diff := cmp.Diff(c.Segments[first:last+1], again.Segments); diff != "" {
		t.Errorf("segments (-whole +slice):\n%s", diff)
	}
	if diff := cmp.Diff(c.Cuts[first].Tensors, again.Inputs); diff != "" {
		t.Errorf("inputs (-cut +slice):\n%s", diff)
	}
	if diff := cmp.Diff(c.Cuts[last+1].Tensors, again.Outputs); diff != "" {
		t.Errorf("outputs (-cut +slice):\n%s", diff)
	}
	inner, err := again.Slice(2, 5)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := c.Slice(first+2, first+5)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(digests(direct), digests(inner)); diff != "" {
		t.Errorf("weights of a slice of a slice:\n%s", diff)
	}
}

// Elements in float_data, inline and in another file are the same blobs.
func TestStorageDoesNotChangeBlobs(t *testing.T) {
	m, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	outside := filepath.Join(dir, "external.onnx")
	if err := m.WriteExternal(outside); err != nil {
		t.Fatal(err)
	}
	p := m.Proto()
	for _, w := range p.Graph.Initializer {
		if tensor.Type(w.GetDataType()) == tensor.Float32 {
			w.FloatData = decodeFloats(w.RawData)
			w.RawData = nil
		}
	}
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	typed := filepath.Join(dir, "typed.onnx")
	if err := os.WriteFile(typed, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, path := range []string{write(t, m), outside, typed} {
		c := mustLoad(t, path, Options{})
		s, err := c.Slice(0, len(c.Segments)-1)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = digests(s)
		}
		if diff := cmp.Diff(want, digests(s)); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
	}
}

func decodeFloats(raw []byte) []float32 {
	p := &onnxpb.TensorProto{}
	// float_data on the wire is what raw_data holds.
	wire := append([]byte{0x22}, appendLength(nil, len(raw))...)
	if err := proto.Unmarshal(append(wire, raw...), p); err != nil {
		panic(err)
	}
	return p.FloatData
}

func appendLength(out []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func TestSliceOutOfRange(t *testing.T) {
	c := smallResNet(t)
	for _, r := range [][2]int{{-1, 3}, {3, 2}, {0, len(c.Segments)}} {
		_, err := c.Slice(r[0], r[1])
		wantError(t, err, fmt.Sprintf("from segment %d to %d", r[0], r[1]))
	}
}

// Only functions that a slice calls go with it, and those that they call.
func TestFunctionsOfASlice(t *testing.T) {
	m, err := modelbuilder.Function(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddValueInfo(); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, write(t, m), Options{})
	want := map[string]int{"Add": 0, "test.local.Squash": 2}
	for i, segment := range c.Segments {
		n, ok := want[segment.Op]
		if !ok {
			continue
		}
		s, err := c.Slice(i, i)
		if err != nil {
			t.Fatal(err)
		}
		var p onnxpb.ModelProto
		if err := proto.Unmarshal(s.Graph, &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Functions) != n {
			t.Errorf("slice of %s has %d functions, want %d", segment.Op, len(p.Functions), n)
		}
	}
}
