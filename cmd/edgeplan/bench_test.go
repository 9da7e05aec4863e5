package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// BenchmarkSlice slices large models into four and compares with cp of the same bytes.
// Both read the model from the page cache and write files that are removed again; what
// earlier rounds wrote is on the disk before each begins; and they take turns in going
// first. "speed/cp" is the median over the rounds: 1 where slicing takes as long as
// copying, and 0.7 is wanted. "peak-MiB" is the program's largest resident memory, and
// 64 are allowed.
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
	r := race{dir: b.TempDir(), layers: layers}
	if err := os.Mkdir(r.source(), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := write(m, r.model()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.round(b)
	}
	r.report(b)
}

// race lets cp and the slicer take turns on one model.
type race struct {
	dir              string
	layers           int
	copying, slicing []time.Duration // by round
	ratios           []float64       // speed of slicing as a share of cp's, by round
	peak             int64           // bytes
}

func (r *race) source() string { return filepath.Join(r.dir, "model") }
func (r *race) model() string  { return filepath.Join(r.source(), "model.onnx") }

func (r *race) round(b *testing.B) {
	b.Helper()
	runs := []func(*testing.B){r.copy, r.slice}
	if len(r.ratios)%2 == 1 {
		slices.Reverse(runs)
	}
	for _, run := range runs {
		run(b)
	}
	n := len(r.ratios)
	r.ratios = append(r.ratios, r.copying[n].Seconds()/r.slicing[n].Seconds())
}

func (r *race) copy(b *testing.B) {
	b.Helper()
	out := filepath.Join(r.dir, "copied")
	took, _ := timed(b, "cp", "-r", r.source(), out)
	r.copying = append(r.copying, took)
	remove(b, out)
}

func (r *race) slice(b *testing.B) {
	b.Helper()
	out := filepath.Join(r.dir, "sliced")
	took, memory := timed(b, filepath.Join(program, "edgeplan"), "slice", r.model(), "-out", out, "-at", positions(3*r.layers))
	r.slicing, r.peak = append(r.slicing, took), max(r.peak, memory)
	remove(b, out)
}

func (r *race) report(b *testing.B) {
	b.Helper()
	var size int64
	for _, name := range []string{r.model(), r.model() + ".data"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	b.Logf("speed/cp by round: %.2f", r.ratios)
	b.ReportMetric(median(r.ratios), "speed/cp")
	b.ReportMetric(float64(r.peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(size)/median(r.slicing).Seconds()/1e6, "slice-MB/s")
	b.ReportMetric(float64(size)/median(r.copying).Seconds()/1e6, "cp-MB/s")
}

func median[T float64 | time.Duration](list []T) T {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// positions cuts a chain of nodes into four.
func positions(nodes int) string { return fmt.Sprintf("%d,%d,%d", nodes/4, nodes/2, 3*nodes/4) }

// timed runs a program and gives its time and its largest resident memory in bytes.
func timed(b *testing.B, name string, args ...string) (time.Duration, int64) {
	b.Helper()
	syscall.Sync()
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
