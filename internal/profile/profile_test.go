package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// chain is a model whose segments take known times.
type chain struct {
	segments []Segment
	seconds  []float64
	stage    float64
	fusion   float64 // of the time of the whole, what seeing all of it at once saves, as a share
	draw     *rand.Rand
}

func (c chain) time(first, last int) float64 {
	sum := c.stage
	for s := first; s <= last; s++ {
		sum += c.seconds[s]
	}
	return sum * (1 - c.fusion*float64(last-first)/float64(len(c.seconds)))
}

// measured are the whole chain, its halves, quarters and twelfths, as probe times them.
func (c chain) measured(spread float64, noise func() float64) []Timed {
	var list []Timed
	l := len(c.segments)
	for _, parts := range []int{1, 2, 4, 12} {
		for k := range parts {
			first, last := l*k/parts, l*(k+1)/parts-1
			if last >= first {
				list = append(list, Timed{first, last, c.time(first, last) * (1 + spread*noise()), spread})
			}
		}
	}
	return list
}

// anyChain has times that go with the work, each up to a third more or less.
func anyChain() *rapid.Generator[chain] {
	return rapid.Map(rapid.Uint64(), func(seed uint64) chain {
		draw := rand.New(rand.NewPCG(seed, 1))
		between := func(low, high float64) float64 { return low + (high-low)*draw.Float64() }
		c := chain{stage: between(0, 1e-3), fusion: between(0, 0.05), draw: draw}
		for i := range 24 + draw.IntN(60) {
			s := Segment{FLOPs: 1e6 * between(1, 100), WeightBytes: 1e4, ActivationBytes: 1e5}
			if i%3 == 2 {
				s = Segment{FLOPs: 1e5, ActivationBytes: 1e5} // as an activation function
			}
			c.segments = append(c.segments, s)
			c.seconds = append(c.seconds, between(0.67, 1.33)*(s.FLOPs/5e9+s.ActivationBytes/1e9))
		}
		return c
	})
}

// A range that was not measured is predicted closely from those that were: on average
// within 5 %, whatever the chain.
func TestFitTimesPredictsRangesBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyChain().Draw(t, "chain")
		fit := FitTimes(c.segments, c.measured(0.01, func() float64 { return 2*c.draw.Float64() - 1 }))
		sum, n := 0.0, 0
		for first := 0; first < len(c.segments); first += 5 {
			for last := first + len(c.segments)/4; last < len(c.segments); last += 7 {
				sum += math.Abs(fit.Seconds(first, last)/c.time(first, last) - 1)
				n++
			}
		}
		if mean := sum / float64(n); mean > 0.05 {
			t.Fatalf("the mean error of %d ranges is %.3f", n, mean)
		}
	})
}

// The interval covers most ranges that were not measured, of any place and length, and is not
// so wide that it says nothing.
func TestFitTimesKnowsHowCloseItIs(t *testing.T) {
	const chains, each = 100, 20
	covered, widest := 0, 0.0
	for seed := range chains {
		c := anyChain().Example(seed)
		fit := FitTimes(c.segments, c.measured(0.01, func() float64 { return 2*c.draw.Float64() - 1 }))
		widest = max(widest, fit.Spread)
		for range each {
			first := c.draw.IntN(len(c.segments) * 3 / 4)
			last := first + len(c.segments)/6 + c.draw.IntN(len(c.segments)-first)
			last = min(last, len(c.segments)-1)
			if math.Abs(fit.Seconds(first, last)/c.time(first, last)-1) <= fit.Spread {
				covered++
			}
		}
	}
	if covered < chains*each*3/4 || widest > 0.2 {
		t.Errorf("%d of %d ranges are within the interval, which is %.2f at its widest", covered, chains*each, widest)
	}
}

// Measured ranges that contradict nothing are met closely, no time is negative, and the same
// ranges give the same times.
func TestFitTimesMeetsWhatWasMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyChain().Draw(t, "chain")
		c.fusion = 0
		ranges := c.measured(0.01, func() float64 { return 0 })
		fit := FitTimes(c.segments, ranges)
		for _, r := range ranges {
			if off := math.Abs(fit.Seconds(r.First, r.Last)/r.Seconds - 1); off > 0.05 {
				t.Fatalf("segments %d to %d take %g s, measured %g s", r.First, r.Last, fit.Seconds(r.First, r.Last), r.Seconds)
			}
		}
		for s, seconds := range fit.Segments {
			if !(seconds > 0) || !fit.Covered[s] {
				t.Fatalf("segment %d takes %g s", s, seconds)
			}
		}
		if again := FitTimes(c.segments, ranges); fmt.Sprint(again) != fmt.Sprint(fit) {
			t.Fatal("the same ranges give other times")
		}
	})
}

// In the notation of docs/measurements.md: two segments, each by itself 3 and 5 s, both
// 7 s, so 1 s belongs to the stage.
func TestFitTimesFindsWhatAStageCosts(t *testing.T) {
	segments := []Segment{{FLOPs: 2}, {FLOPs: 4}}
	fit := FitTimes(segments, []Timed{{0, 0, 3, 0}, {1, 1, 5, 0}, {0, 1, 7, 0}})
	if math.Abs(fit.Stage-1) > 0.05 || math.Abs(fit.Segments[0]-2) > 0.05 || math.Abs(fit.Segments[1]-4) > 0.05 {
		t.Errorf("got %+v", fit)
	}
}

func TestFitTimesOfLittle(t *testing.T) {
	segments := []Segment{{FLOPs: 1}, {FLOPs: 3}, {}, {FLOPs: 9}}
	if FitTimes(segments, nil) != nil {
		t.Error("nothing was measured, and gives times")
	}
	fit := FitTimes(segments, []Timed{{0, 1, 4, 0.5}})
	if fit.Covers(0, 2) || !fit.Covers(0, 1) || fit.Segments[3] != 0 {
		t.Errorf("got %+v", fit)
	}
	if math.Abs(fit.Seconds(0, 1)-4) > 0.1 || math.Abs(fit.Segments[1]/fit.Segments[0]-3) > 0.1 {
		t.Errorf("4 s are not divided by the work: %+v", fit)
	}
	if fit.Spread < 0.5 {
		t.Errorf("the spread is %g, and that of the measurement 0.5", fit.Spread)
	}
	if idle := FitTimes([]Segment{{}, {}}, []Timed{{0, 1, 4, 0}}); math.Abs(idle.Seconds(0, 1)-4) > 0.1 {
		t.Errorf("segments without work take %+v", idle)
	}
}

// Peaks that follow the formula are met within 10 %, also between and beyond them.
func TestFitMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := Memory{Stage: rapid.Float64Range(0, 20<<20).Draw(t, "stage"),
			WeightFactor: rapid.Float64Range(0.9, 2.6).Draw(t, "weights"), ActivationFactor: rapid.Float64Range(0.5, 3).Draw(t, "activations")}
		base := float64(45 << 20)
		var peaks []Peak
		for k := range 19 {
			weights, activations := float64(k*k)*0.3e6, float64(1+k%5)*2e6
			peaks = append(peaks, Peak{base + truth.Bytes(weights, activations), base, weights, activations})
		}
		fit := FitMemory(peaks, 1)
		for k := range 30 {
			weights, activations := float64(k)*4e6, float64(k%3)*3e6
			want := base + truth.Bytes(weights, activations)
			if got := base + fit.Bytes(weights, activations); math.Abs(got/want-1) > 0.1 {
				t.Fatalf("%g bytes of weights and %g of activations: %g, want %g", weights, activations, got, want)
			}
		}
	})
}

// One peak says little, and what is not known stays as it is expected.
func TestFitMemoryOfOnePeak(t *testing.T) {
	fit := FitMemory([]Peak{{Bytes: 150 << 20, Base: 50 << 20, Weights: 100 << 20, Activations: 0}}, 1)
	if math.Abs(fit.WeightFactor-1) > 0.05 || math.Abs(fit.ActivationFactor-1) > 1e-6 || fit.Stage > 4<<20 {
		t.Errorf("got %+v", fit)
	}
}
