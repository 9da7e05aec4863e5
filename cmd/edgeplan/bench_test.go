package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// BenchmarkSlice slices large models into four and compares with cp of the same
// bytes in turn: "speed/cp" is 1 where slicing takes as long as copying, and 0.7 is
// wanted. "peak-MiB" is the program's largest resident memory, and 64 are allowed.
func BenchmarkSlice(b *testing.B) {
	b.Run("inline-1GB", func(b *testing.B) { benchmarkSlice(b, 16, (*modelbuilder.Model).WriteInline) })
	b.Run("external-2.7GB", func(b *testing.B) { benchmarkSlice(b, 40, (*modelbuilder.Model).WriteExternal) })
}

// benchmarkSlice uses layers of 64 MiB.
func benchmarkSlice(b *testing.B, layers int, write func(*modelbuilder.Model, string) error) {
	m, err := modelbuilder.Perceptron(1, layers, 4096)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	source := filepath.Join(dir, "model")
	if err := os.Mkdir(source, 0o755); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(source, "model.onnx")
	if err := write(m, path); err != nil {
		b.Fatal(err)
	}
	copying, slicing := time.Hour, time.Hour // the fastest of all rounds, since other programs may get in between
	var peak, size int64
	for b.Loop() {
		copied, sliced := filepath.Join(dir, "copied"), filepath.Join(dir, "sliced")
		took, _ := timed(b, "cp", "-r", source, copied)
		copying = min(copying, took)
		remove(b, copied)
		took, memory := timed(b, filepath.Join(program, "edgeplan"), "slice", path, "-out", sliced, "-at", positions(3*layers))
		slicing, peak = min(slicing, took), max(peak, memory)
		remove(b, sliced)
	}
	for _, name := range []string{path, path + ".data"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	b.ReportMetric(copying.Seconds()/slicing.Seconds(), "speed/cp")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(size)/slicing.Seconds()/1e6, "slice-MB/s")
	b.ReportMetric(float64(size)/copying.Seconds()/1e6, "cp-MB/s")
}

// positions cuts a chain of nodes into four.
func positions(nodes int) string { return fmt.Sprintf("%d,%d,%d", nodes/4, nodes/2, 3*nodes/4) }

// timed runs a program and gives its time and its largest resident memory in bytes.
func timed(b *testing.B, name string, args ...string) (time.Duration, int64) {
	b.Helper()
	cmd := exec.Command(name, args...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	took := time.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("this system does not tell the memory of a process")
	}
	return took, usage.Maxrss << 10
}

func remove(b *testing.B, dir string) {
	b.Helper()
	if err := os.RemoveAll(dir); err != nil {
		b.Fatal(err)
	}
}
