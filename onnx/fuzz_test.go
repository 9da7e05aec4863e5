package onnx

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// seed gives a fuzz target all models of the builders.
func seed(f *testing.F) {
	f.Helper()
	all, err := modelbuilder.All(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range all {
		_ = m.AddValueInfo() // where the builder knows all shapes
		raw, err := m.Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// FuzzLoad: whatever a file holds, reading it ends in a chain or an error.
func FuzzLoad(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(t.Context(), path, Options{Dimensions: map[string]int64{"sequence": 8}})
		if err == nil && len(c.Cuts) != len(c.Segments)+1 {
			t.Errorf("%d cuts for %d segments", len(c.Cuts), len(c.Segments))
		}
	})
}

// FuzzSlice: what loads can be cut anywhere, or says why not; slices load again.
func FuzzSlice(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.onnx")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(t.Context(), path, Options{})
		if err != nil {
			return
		}
		middle := len(c.Segments) / 2
		for _, r := range [][2]int{{0, len(c.Segments) - 1}, {middle, len(c.Segments) - 1}, {0, max(middle-1, 0)}} {
			s, err := c.Slice(r[0], r[1])
			if err != nil {
				continue
			}
			for _, blob := range s.Weights {
				in, err := blob.Open()
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, in)
				_ = in.Close()
				if err != nil || n != blob.Size {
					t.Errorf("blob of %d bytes gives %d: %v", blob.Size, n, err)
				}
			}
			loadAgain(t, c, s)
		}
	})
}

// loadAgain reads a slice as a model: it is one, though it may not state all shapes.
func loadAgain(t *testing.T, c *Chain, s *Slice) {
	t.Helper()
	path, err := c.WriteSlice(t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	var unbound *UnboundError // a slice with an If states ranks only
	if _, err := Load(t.Context(), path, Options{}); err != nil && !errors.As(err, &unbound) && !strings.Contains(err.Error(), "there is no engine to find them") {
		t.Error(err)
	}
}

// FuzzReadTensor: whatever a file of test data holds, reading it ends in a tensor whose
// elements fit its shape, or in an error.
func FuzzReadTensor(f *testing.F) {
	for _, t := range []tensor.Tensor{
		{Info: tensor.Info{Name: "x", Type: tensor.Float32, Shape: []int64{2, 1}}, Data: make([]byte, 8)},
		{Info: tensor.Info{Name: "text", Type: tensor.String, Shape: []int64{2}}, Data: []byte("\x02\x00\x00\x00ab\x00\x00\x00\x00")},
	} {
		path := filepath.Join(f.TempDir(), "t.pb")
		if err := WriteTensor(path, t); err != nil {
			f.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "t.pb")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadTensor(path); err == nil {
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
