package ort_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Weights in an external file stay pages of that file, which the system can take
// back. The memory model rests on this. (Prepacking, and level all, copy them; how
// much of a copy is resident at one moment varies, so no test states it.)
func TestWeightsStayMapped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("anonymous memory is read from /proc")
	}
	matrices, images := matrixModel(t), convolutionModel(t)
	tests := []struct {
		path  string
		level ort.Level
	}{
		{matrices, ort.Disabled},
		{matrices, ort.Extended},
		{images, ort.Extended},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s", filepath.Base(test.path), test.level), func(t *testing.T) {
			before := anonymous(t)
			session, err := open(t).NewSession(test.path, ort.SessionOptions{Level: test.level, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			answers(t, session)
			if grown := anonymous(t) - before; grown > weightBytes/2 {
				t.Errorf("anonymous memory grew by %d KiB with %d KiB of weights", grown>>10, weightBytes>>10)
			}
		})
	}
}

// weightBytes is about what the models here weigh.
const weightBytes = 32 << 20

func matrixModel(t *testing.T) string {
	b := modelbuilder.New("matrices", 1)
	x := b.Input("x", tensor.Float32, 1, 1024)
	for range 8 {
		x = b.Linear(x, 1024)
	}
	return external(t, "matrices", b, x)
}

func convolutionModel(t *testing.T) string {
	b := modelbuilder.New("images", 1)
	x := b.Input("x", tensor.Float32, 1, 512, 4, 4)
	for range 4 {
		x = b.Node("Relu", []string{b.Conv(x, 512, 3, 1)})
	}
	return external(t, "images", b, x)
}

func external(t *testing.T, name string, b *modelbuilder.Builder, output string) string {
	b.Output(output)
	model, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := model.WriteSparse(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// anonymous is the memory of this process that no file stands behind, in bytes.
func anonymous(t *testing.T) int64 {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`RssAnon:\s*(\d+) kB`).FindSubmatch(data)
	if found == nil {
		t.Fatal("this kernel does not tell anonymous memory apart")
	}
	size, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return size << 10
}
