package ort_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

func TestClose(t *testing.T) {
	session := load(t, subtraction(t))
	for range 2 {
		if err := session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	x := floats("a", []int64{1, 2}, 1, 2)
	y := x
	y.Name = "b"
	if _, err := session.Run(list(x, y), nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("error %v", err)
	}
}

// Runs share a session, while Go's memory is collected, and Close waits for them.
func TestRunsAtTheSameTime(t *testing.T) {
	session := load(t, subtraction(t))
	var group sync.WaitGroup
	for worker := range 6 {
		group.Go(func() {
			for i := range 40 {
				x := float32(worker*1000 + i)
				got, err := session.Run(list(floats("a", []int64{1, 2}, x, x), floats("b", []int64{1, 2}, 1, 2)), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(list(floats("y", []int64{1, 2}, x-1, x-2)), got); diff != "" {
					t.Error(diff)
				}
				if i%10 == 0 {
					runtime.GC()
				}
			}
		})
	}
	group.Wait()

	for range 4 {
		group.Go(func() {
			for {
				_, err := session.Run(list(floats("a", []int64{1, 2}, 1, 1), floats("b", []int64{1, 2}, 1, 2)), nil)
				if err != nil {
					if !strings.Contains(err.Error(), "closed") {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	session.Close()
	group.Wait()
}

func TestBadModels(t *testing.T) {
	engine := open(t)
	unknownOp := graph{nodes: list(node("Frobnicate", "y", "x")), inputs: list(modelbuilder.ValueInfo("x", tensor.Float32, 1)), outputs: list(untyped("y"))}
	tests := map[string]struct {
		model []byte
		code  ort.Code
		want  string
	}{
		"empty":            {nil, 0, "no bytes"},
		"no protobuf":      {[]byte("this is no model"), ort.InvalidProtobuf, "protobuf"},
		"unknown operator": {unknownOp.bytes(t), ort.InvalidGraph, "Frobnicate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := engine.NewSessionFromBytes(test.model, plain)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			var status *ort.Error
			if errors.As(err, &status); test.code != 0 && (status == nil || status.Code != test.code) {
				t.Errorf("error %#v, want code %s", status, test.code)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "none.onnx")
	if _, err := engine.NewSession(path, plain); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for want, options := range map[string]ort.SessionOptions{
		"unknown optimisation level": {},
		"-1 threads":                 {Level: ort.Basic, Threads: -1},
	} {
		if _, err := open(t).NewSessionFromBytes(subtraction(t), options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// External data lies beside the model; without it the error says which file.
func TestExternalData(t *testing.T) {
	model, err := modelbuilder.ResNet(1, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "resnet.onnx")
	if err := model.WriteExternal(path); err != nil {
		t.Fatal(err)
	}
	inside, err := model.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	outside, err := open(t).NewSession(path, plain)
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if diff := cmp.Diff(scores(t, load(t, inside)), scores(t, outside)); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(path + ".data"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t).NewSession(path, plain); err == nil || !strings.Contains(err.Error(), "resnet.onnx.data") {
		t.Errorf("without the data: %v", err)
	}
}

// scores runs an image network on random input.
func scores(t *testing.T, session *ort.Session) tensor.Tensor {
	t.Helper()
	input, err := tensor.Random(session.Inputs()[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := session.Run(list(input), nil)
	if err != nil {
		t.Fatal(err)
	}
	return outputs[0]
}

// Fusing changes the rounding of a convolution with batch normalisation, so a
// level that reaches the engine shows in the last bits and nowhere else.
func TestLevels(t *testing.T) {
	options := modelbuilder.Small()
	options.BatchNorm = true
	model, err := modelbuilder.ResNet(1, options)
	if err != nil {
		t.Fatal(err)
	}
	data, err := model.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	exact := scores(t, load(t, data))
	for level, differs := range map[ort.Level]bool{ort.Disabled: false, ort.Extended: true, ort.All: true} {
		for _, prepack := range []bool{false, true} {
			session, err := open(t).NewSessionFromBytes(data, ort.SessionOptions{Level: level, Threads: 1, Prepack: prepack})
			if err != nil {
				t.Fatal(err)
			}
			d, err := tensor.Compare(exact, scores(t, session))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.MaxAbs > 0; got != differs && !(level == ort.Disabled && prepack) || d.MaxAbs > 1e-5*d.LargestValue {
				t.Errorf("level %s, prepack %v: differs by %g of %g", level, prepack, d.MaxAbs, d.LargestValue)
			}
			session.Close()
		}
	}
}

// A session's own threads are one fewer than asked for: the caller is one too.
func TestThreads(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads are counted in /proc")
	}
	before := taskCount(t)
	session, err := open(t).NewSessionFromBytes(subtraction(t), ort.SessionOptions{Level: ort.Basic, Threads: 9})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if got := taskCount(t) - before; got < 8 || got > 12 {
		t.Errorf("%d more threads, want 8 and a few of Go's", got)
	}
}

func taskCount(t *testing.T) int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}
