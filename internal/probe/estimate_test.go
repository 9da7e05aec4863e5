package probe

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSteady(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noisy := func(n int, mean, deviation float64) []float64 {
		list := make([]float64, n)
		for i := range list {
			list[i] = mean + deviation*random.NormFloat64()
		}
		return list
	}
	slowStart := append([]float64{1, 2, 4, 8, 16, 32, 64, 90}, noisy(40, 100, 2)...)
	burst := append([]float64{900, 400}, noisy(40, 100, 2)...)
	var growing []float64
	for i := range 40 {
		growing = append(growing, float64(i))
	}
	tests := []struct {
		name    string
		samples []float64
		mean    float64 // within 1 %
		spread  float64 // at most
		// deviation is within 40 %
		deviation float64
	}{
		{"nothing", nil, 0, 1, 0},
		{"one", []float64{7}, 7, 1, 0},
		{"too few to tell", []float64{7, 7, 7}, 7, 1, 0},
		{"all alike", []float64{5, 5, 5, 5, 5, 5}, 5, 0, 0},
		{"noise of 2 %", noisy(50, 100, 2), 100, 0.015, 0.02},
		{"slow start is dropped", slowStart, 100, 0.015, 0.02},
		{"a bucket of tokens is dropped", burst, 100, 0.015, 0.02},
		{"zeros", []float64{0, 0, 0, 0, 0}, 0, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := Steady(test.samples)
			if math.Abs(e.Mean-test.mean) > 0.01*test.mean || e.Spread > test.spread || e.Spread < 0 {
				t.Errorf("%+v, want a mean of %v and a spread of at most %v", e, test.mean, test.spread)
			}
			if math.Abs(e.Deviation-test.deviation) > 0.4*test.deviation {
				t.Errorf("%+v, want a deviation of %v", e, test.deviation)
			}
			if e.Samples+e.Dropped != len(test.samples) {
				t.Errorf("%d kept and %d dropped of %d", e.Samples, e.Dropped, len(test.samples))
			}
		})
	}
	if e := Steady(growing); e.Spread <= Goal {
		t.Errorf("a series that still grows counts as steady: %+v", e)
	}
}

// The interval holds the true mean in about 95 of 100 series, also of samples that
// depend on their neighbours.
func TestSteadyCovers(t *testing.T) {
	for name, memory := range map[string]float64{"independent": 0, "autoregressive": 0.5} {
		random, covered := rand.New(rand.NewPCG(3, 4)), 0
		const series = 2000
		for range series {
			samples, x := make([]float64, 80), 0.0
			for i := range samples {
				x = memory*x + random.NormFloat64()
				samples[i] = 100 + x
			}
			e := Steady(samples)
			if math.Abs(e.Mean-100) <= e.Spread*e.Mean {
				covered++
			}
		}
		if share := float64(covered) / series; share < 0.85 {
			t.Errorf("%s: the interval holds the mean in %.0f %% of the series", name, 100*share)
		}
	}
}
