package cpushare

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A device's quota follows what the reference takes on its processor, within bounds, and is left
// alone where that is about as before or was just looked at.
func TestPace(t *testing.T) {
	p := NewPace(&Limits{Root: t.TempDir()}, runtime.NumCPU(), 0.004)
	group, err := p.Device(0.2)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.limits.Root, group, p.limits.quotaFile())
	if err := os.Chmod(file, 0o600); err != nil { // the kernel's own are, so that they can be written again
		t.Fatal(err)
	}
	own, begun := processorOf(group), p.Clock()
	for _, c := range []struct {
		name   string
		recent float64 // what the reference took of late
		due    bool
		want   string
	}{
		{"the nominal time", 0.004, true, "2000"},
		{"about that", 0.00406, true, "2000"},
		{"longer", 0.0046, true, "2300"},
		{"shorter, just after", 0.004, false, "2300"},
		{"shorter", 0.0036, true, "1800"},
		{"far longer", 0.04, true, "2800"},
	} {
		p.recent[own] = c.recent
		if c.due {
			p.written[own] = time.Time{}
		}
		if err := p.Heard(own, c.recent); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != c.want {
			t.Errorf("%s: a quota of %s, want %s (%v)", c.name, got, c.want, err)
		}
	}
	if got, want := p.Factor(own, begun), (0.004+0.00406+0.0046+0.004+0.0036+0.04)/6/0.004; math.Abs(got/want-1) > 1e-9 {
		t.Errorf("shares grew by %g, want %g", got, want)
	}
}
