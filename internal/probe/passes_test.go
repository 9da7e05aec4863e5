package probe

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Times are means, peaks the highest, and a pass without a worker says nothing of workers.
func TestPassesTogether(t *testing.T) {
	var p Passes
	p.Add(3, 17, RangeResult{Seconds: 0.1, Spread: 0.02, Deviation: 0.3, Runs: 20, PeakBytes: 50, ServingCPUSeconds: 0.14, ServingPeakBytes: 80})
	if diff := cmp.Diff(RangeResult{Seconds: 0.1, Spread: 0.02, Deviation: 0.3, Runs: 20, PeakBytes: 50, ServingCPUSeconds: 0.14, ServingPeakBytes: 80}, p.Result(3, 17)); diff != "" {
		t.Errorf("one pass is what it was:\n%s", diff)
	}
	p.Add(3, 17, RangeResult{Seconds: 0.2, Spread: 0.02, Deviation: 0.3, Runs: 10, PeakBytes: 60})
	got := p.Result(3, 17)
	if got.Spread < 0.2 {
		t.Errorf("passes of 0.1 and 0.2 s have a spread of %g", got.Spread)
	}
	got.Spread, got.Seconds, got.Deviation = 0, math.Round(1e9*got.Seconds)/1e9, math.Round(1e9*got.Deviation)/1e9
	if diff := cmp.Diff(RangeResult{Seconds: 0.15, Deviation: 0.3, Runs: 30, PeakBytes: 60, ServingCPUSeconds: 0.14, ServingPeakBytes: 80}, got); diff != "" {
		t.Error(diff)
	}
	if n := p.Count(3, 17); n != 2 {
		t.Errorf("%d passes", n)
	}
	if got := p.Result(0, 1); got != (RangeResult{}) || p.Count(0, 1) != 0 {
		t.Errorf("a range without passes: %+v", got)
	}
}

// The spread covers the true mean of about 95 % of ranges, however wide or narrow the spread of the
// runs in a pass is, which knows nothing of what passes differ by.
func TestPassesKnowHowCloseTheyAre(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		name      string
		deviation float64 // from pass to pass
		runs      float64 // spread of the runs in a pass
		passes    int
	}{
		{"a steady device", 0.004, 0.02, 2},
		{"a virtual machine", 0.06, 0.02, 2},
		{"the same, four times", 0.06, 0.02, 4},
		{"runs that vary", 0.01, 0.2, 2},
	} {
		covered, all := 0, 0
		widest := 0.0
		for range 50 {
			var p Passes
			for range c.passes {
				for k := range 19 {
					noise := c.deviation*draw.NormFloat64() + c.runs/2*draw.NormFloat64()
					p.Add(k, k, RangeResult{Seconds: float64(k+1) * (1 + noise), Spread: c.runs})
				}
			}
			for k := range 19 {
				r := p.Result(k, k)
				widest = max(widest, r.Spread)
				if all++; math.Abs(r.Seconds/float64(k+1)-1) <= r.Spread {
					covered++
				}
			}
		}
		share := float64(covered) / float64(all)
		most := 3.5 * math.Hypot(c.deviation, c.runs/2) / math.Sqrt(float64(c.passes))
		if share < 0.9 || widest > max(most, 0.03) {
			t.Errorf("%s: %.3f of all ranges are within their spread, which is %.3f at its widest", c.name, share, widest)
		}
	}
}

// A range that only passes tensors on takes no time, and says nothing of what passes differ by.
func TestPassesOfNothing(t *testing.T) {
	var p Passes
	before := p.Deviation()
	for range 3 {
		p.Add(0, 0, RangeResult{})
	}
	if got := p.Deviation(); got != before || math.IsNaN(got) {
		t.Errorf("a deviation of %g, before it was %g", got, before)
	}
}
