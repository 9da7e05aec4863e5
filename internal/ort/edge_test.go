package ort_test

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// A bare name is a file of the current folder, as everywhere else, and not looked
// for in the system's folders.
func TestOpenRelativePath(t *testing.T) {
	library, err := filepath.Abs(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(library))
	if _, err := ort.Open(filepath.Base(library)); err != nil {
		t.Error(err)
	}
}

func TestErrClosed(t *testing.T) {
	session := load(t, subtraction(t))
	session.Close()
	a, b := floats("a", []int64{1, 2}, 1, 2), floats("b", []int64{1, 2}, 1, 2)
	if _, err := session.Run(list(a, b), nil); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("%v is not ErrClosed", err)
	}
}

func TestThreadsAreBounded(t *testing.T) {
	for _, threads := range []int{-1, math.MaxInt16 + 1} {
		_, err := open(t).NewSessionFromBytes(subtraction(t), ort.SessionOptions{Level: ort.Basic, Threads: threads})
		if err == nil || !strings.Contains(err.Error(), "from 0 (the engine's choice) to 32767") {
			t.Errorf("%d threads: %v", threads, err)
		}
	}
}

// At every level, prepacked or not, from a file or from bytes,
// every kind of model gives the same answer but for rounding.
func TestLevelsAgree(t *testing.T) {
	all, err := modelbuilder.All(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range all {
		t.Run(model.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := model.WriteFile(path); err != nil {
				t.Fatal(err)
			}
			data, err := model.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			exact := answers(t, load(t, data))
			for _, level := range []ort.Level{ort.Disabled, ort.Basic, ort.Extended, ort.All} {
				for _, prepack := range []bool{false, true} {
					session, err := open(t).NewSession(path, ort.SessionOptions{Level: level, Threads: 1, Prepack: prepack})
					if err != nil {
						t.Fatal(err)
					}
					agree(t, level, exact, answers(t, session))
					session.Close()
				}
			}
		})
	}
}

// answers runs a model on random inputs, with 4 for sizes that are not fixed.
func answers(t *testing.T, session *ort.Session) []tensor.Tensor {
	t.Helper()
	inputs := session.Inputs()
	given := make([]tensor.Tensor, len(inputs))
	for i, info := range inputs {
		for at, size := range info.Shape {
			if size == tensor.Unknown {
				info.Shape[at] = 4
			}
		}
		var err error
		if given[i], err = tensor.Random(info, 1); err != nil {
			t.Fatal(err)
		}
	}
	outputs, err := session.Run(given, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

func agree(t *testing.T, level ort.Level, want, got []tensor.Tensor) {
	t.Helper()
	for i := range want {
		d, err := tensor.Compare(want[i], got[i])
		if err != nil {
			t.Fatal(err)
		}
		if d.LargestValue == 0 || d.MaxAbs > 1e-5*d.LargestValue {
			t.Errorf("level %s: output %q differs by %g of %g", level, want[i].Name, d.MaxAbs, d.LargestValue)
		}
	}
}
