// Package profile predicts what ranges of a model's segments take on a node, in time and
// memory, from ranges that were measured there. docs/measurements.md has the formulas.
package profile

import (
	"math"
	"slices"
)

// Segment is what the time of a segment goes with.
type Segment struct {
	FLOPs           float64 // multiplications and additions
	WeightBytes     float64 // read
	ActivationBytes float64 // read and written
}

// Timed is a measured range of segments, both ends included.
type Timed struct {
	First, Last int
	Seconds     float64
	Spread      float64 // half of the 95 % confidence interval as a share of Seconds
}

// Times are what every range of segments takes, by the ranges that were measured.
type Times struct {
	// Segments are the seconds of each segment, and Covered says which of them are in a
	// measured range; the others have 0.
	Segments []float64
	Covered  []bool
	// Stage is the seconds of every range beside those of its segments.
	Stage float64
	// Spread is twice the root mean square of what the measured ranges differ from what the
	// others say of them, as a share, and at least the middle one of their own spreads. A
	// single range says nothing of others, which are expected to be within 15 %.
	Spread float64

	before []float64 // the seconds of all segments before each
	gains  []gain
}

const (
	leastSpread = 0.02 // of a measurement: what machines do differently from run to run
	// trust is how far the time of a part is expected to be from what its work says, as a
	// share: it decides only where measurements do not.
	trust = 0.5
	// leastShare of the average is what every segment takes at least, so that a measured
	// time can be given to segments without work.
	leastShare = 1e-3
)

// FitTimes finds times of segments and of a stage that agree with the measured ranges as
// well as possible, none negative. It is nil where nothing was measured. Ranges lie
// within the segments.
//
// First, times of a stage, a FLOP, a byte of weights and a byte of activations are fitted
// to all ranges. These give each segment an expected time. Then the chain is divided
// where a measured range begins or ends; the time of each part is its expected time
// times a factor, and factors are chosen that fit the ranges, each within its spread,
// and are near 1 where ranges leave them open.
func FitTimes(segments []Segment, ranges []Timed) *Times {
	if len(ranges) == 0 {
		return nil
	}
	stage, expected := expect(segments, ranges)
	parts := partsOf(len(segments), ranges)
	work := make([]float64, len(parts))
	for i, p := range parts {
		for _, seconds := range expected[p.first : p.last+1] {
			work[i] += seconds
		}
	}
	factors := fitParts(parts, work, stage, ranges)
	t := &Times{Segments: make([]float64, len(segments)), Covered: make([]bool, len(segments)), Stage: factors[len(parts)] * stage}
	for i, p := range parts {
		for s := p.first; s <= p.last; s++ {
			t.Segments[s], t.Covered[s] = factors[i]*expected[s], true
		}
	}
	t.before = make([]float64, len(segments)+1)
	for s, seconds := range t.Segments {
		t.before[s+1] = t.before[s] + seconds
	}
	t.gains = t.gainsOf(ranges)
	t.Spread = t.misfit(ranges)
	return t
}

// Seconds of a range: the sum of its segments, and what ranges that are like it have gained.
func (t *Times) Seconds(first, last int) float64 {
	return t.summed(first, last) * t.gain(first, last, false)
}

// summed is the time of a range without a gain.
func (t *Times) summed(first, last int) float64 { return t.Stage + t.before[last+1] - t.before[first] }

// Covers says whether every segment of a range is in one that was measured.
func (t *Times) Covers(first, last int) bool { return !slices.Contains(t.Covered[first:last+1], false) }

// expect fits the time of a stage and of each kind of work to all ranges.
func expect(segments []Segment, ranges []Timed) (stage float64, expected []float64) {
	kinds := []func(Segment) float64{
		func(s Segment) float64 { return s.FLOPs },
		func(s Segment) float64 { return s.WeightBytes },
		func(s Segment) float64 { return s.ActivationBytes },
	}
	// Scaled so that all unknowns are near the time of the longest range.
	longest, totals := 0.0, make([]float64, len(kinds))
	for _, r := range ranges {
		longest = math.Max(longest, r.Seconds)
	}
	for _, s := range segments {
		for k, kind := range kinds {
			totals[k] += kind(s)
		}
	}
	share := func(k int, s Segment) float64 { return kinds[k](s) / math.Max(totals[k], 1) }
	var terms []term
	for _, r := range ranges {
		weight := 1 / (within(r.Spread) * r.Seconds)
		t := term{at: []int{0}, coefficients: []float64{weight}, want: r.Seconds * weight}
		for k := range kinds {
			sum := 0.0
			for _, s := range segments[r.First : r.Last+1] {
				sum += share(k, s)
			}
			t.at, t.coefficients = append(t.at, k+1), append(t.coefficients, sum*weight)
		}
		terms = append(terms, t)
	}
	// Where ranges leave it open, all of the time is that of FLOPs.
	terms = append(terms, near(0, 0, longest), near(1, longest, 10*longest), near(2, 0, longest), near(3, 0, longest))
	x := leastSquares(terms, []float64{0, longest, 0, 0})
	expected = make([]float64, len(segments))
	total := 0.0
	for i, s := range segments {
		for k := range kinds {
			expected[i] += x[k+1] * share(k, s)
		}
		total += expected[i]
	}
	least := leastShare * math.Max(total, longest) / float64(len(segments))
	for i := range expected {
		expected[i] = math.Max(expected[i], least)
	}
	return x[0], expected
}

// within is the spread that a measurement counts with.
func within(spread float64) float64 { return math.Max(spread, leastSpread) }

// part is a run of segments that no measured range divides.
type part struct{ first, last int }

// partsOf are the parts of a chain that are in measured ranges.
func partsOf(length int, ranges []Timed) []part {
	bounds := map[int]bool{}
	covered := make([]bool, length)
	for _, r := range ranges {
		bounds[r.First], bounds[r.Last+1] = true, true
		for s := r.First; s <= r.Last; s++ {
			covered[s] = true
		}
	}
	var parts []part
	for s := range length {
		switch last := len(parts) - 1; {
		case !covered[s]:
		case bounds[s] || last < 0 || parts[last].last != s-1:
			parts = append(parts, part{s, s})
		default:
			parts[last].last = s
		}
	}
	return parts
}

// fitParts gives the factor of each part, and at the end that of the stage.
func fitParts(parts []part, work []float64, stage float64, ranges []Timed) []float64 {
	n := len(parts)
	var terms []term
	start := make([]float64, n+1)
	for i := range start {
		start[i] = 1
		terms = append(terms, near(i, 1, trust))
	}
	for _, r := range ranges {
		weight := 1 / (within(r.Spread) * r.Seconds)
		t := term{at: []int{n}, coefficients: []float64{stage * weight}, want: r.Seconds * weight}
		for i, p := range parts {
			if p.first >= r.First && p.last <= r.Last {
				t.at, t.coefficients = append(t.at, i), append(t.coefficients, work[i]*weight)
			}
		}
		terms = append(terms, t)
	}
	return leastSquares(terms, start)
}

// misfit is Times.Spread. A range's own gain would make it agree with itself.
func (t *Times) misfit(ranges []Timed) float64 {
	if len(ranges) == 1 {
		return math.Max(unlike, ranges[0].Spread)
	}
	sum := 0.0
	var spreads []float64
	for _, r := range ranges {
		off := t.summed(r.First, r.Last)*t.gain(r.First, r.Last, true)/r.Seconds - 1
		sum += off * off
		spreads = append(spreads, r.Spread)
	}
	slices.Sort(spreads)
	return math.Max(2*math.Sqrt(sum/float64(len(ranges))), spreads[len(spreads)/2])
}
