package probe

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCredible(t *testing.T) {
	const gib = 1 << 30
	honest := Facts{Cores: 4, MemoryTotalBytes: 4 * gib, MemoryAvailableBytes: 3 * gib, DiskFreeBytes: gib}
	tests := []struct {
		name         string
		change       func(*Facts)
		free, usable int64
		doubt        string // part of one; "" is none
	}{
		{"honest", func(*Facts) {}, 3 * gib, 3 * gib, ""},
		{"limited", func(f *Facts) { f.MemoryLimitBytes, f.MemoryLeftBytes = 2*gib, gib }, gib, gib, ""},
		{"beside its own pipeline", func(f *Facts) { f.MemoryLimitBytes, f.MemoryLeftBytes, f.PipelineBytes = 2*gib, gib, gib/2 }, gib, gib + gib/2, ""},
		{"a pipeline beyond the limit", func(f *Facts) { f.MemoryLimitBytes, f.MemoryLeftBytes, f.PipelineBytes = 2*gib, gib, 3*gib }, gib, 2 * gib, ""},
		{"more available than there is", func(f *Facts) { f.MemoryAvailableBytes = 5 * gib }, 4 * gib, 4 * gib, "are available, of"},
		{"a limit above the memory", func(f *Facts) { f.MemoryLimitBytes, f.MemoryLeftBytes = 8*gib, 1 }, 3 * gib, 3 * gib, "the limit is left out"},
		{"more left than the limit", func(f *Facts) { f.MemoryLimitBytes, f.MemoryLeftBytes = gib, 2*gib }, gib, gib, ""},
		{"no memory", func(f *Facts) { f.MemoryTotalBytes = 0 }, 0, 0, "cannot be"},
		{"negative", func(f *Facts) { f.MemoryTotalBytes, f.MemoryAvailableBytes = -1, -1 }, 0, 0, "cannot be"},
		{"absurd", func(f *Facts) { f.MemoryTotalBytes = math.MaxInt64 }, 0, 0, "cannot be"},
		{"no processor", func(f *Facts) { f.Cores = 0 }, 3 * gib, 3 * gib, "counts as one"},
		{"a costly byte", func(f *Facts) { f.CPUSecondsPerByte = 1 }, 3 * gib, 3 * gib, "left out"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := honest
			test.change(&f)
			f = f.Credible()
			if f.FreeBytes() != test.free || f.UsableBytes() != test.usable {
				t.Errorf("%d bytes are free and %d usable, want %d and %d", f.FreeBytes(), f.UsableBytes(), test.free, test.usable)
			}
			doubts := strings.Join(f.Doubts, "\n")
			if test.doubt == "" && doubts != "" || !strings.Contains(doubts, test.doubt) {
				t.Errorf("doubts %q, want %q", doubts, test.doubt)
			}
		})
	}
}

// What a device calls its models may not steer the terminal.
func TestNamesAreMadePrintable(t *testing.T) {
	f := Facts{Workers: []string{"resnet50", "\x1b[2J", "", "\xff", strings.Repeat("ä", 60), "\u009b2J"}}
	want := []string{"resnet50", `"\x1b[2J"`, "", `"\xff"`, strings.Repeat("ä", 50), `"\u009b2J"`}
	if diff := cmp.Diff(want, f.Credible().Workers); diff != "" {
		t.Error(diff)
	}
}

// Whatever a device says, what is made of it contradicts nothing.
func TestAnythingBecomesCredible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-10, 1<<35))
		f := Facts{Cores: rapid.Int().Draw(t, "cores"), MemoryTotalBytes: n.Draw(t, "total"), MemoryAvailableBytes: n.Draw(t, "available"),
			MemoryLimitBytes: n.Draw(t, "limit"), MemoryLeftBytes: n.Draw(t, "left"), PipelineBytes: n.Draw(t, "pipeline"),
			DiskFreeBytes: n.Draw(t, "disk"), Busy: rapid.Float64().Draw(t, "busy"), CPUSecondsPerByte: rapid.Float64().Draw(t, "wire")}.Credible()
		for _, b := range []int64{f.FreeBytes(), f.UsableBytes(), f.MemoryLimitBytes} {
			if b < 0 || b > f.MemoryTotalBytes {
				t.Fatalf("%d bytes of %d", b, f.MemoryTotalBytes)
			}
		}
		if f.Cores < 1 || f.DiskFreeBytes < 0 || f.Busy < 0 || f.Busy > 1 || f.CPUSecondsPerByte < 0 {
			t.Fatalf("%+v", f)
		}
	})
}
