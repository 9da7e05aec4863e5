package probe

import (
	"maps"
	"math"
	"slices"
)

// Passes are the results of ranges of one model on one device, each of which was run some times,
// in a process of its own each time and apart from each other. That tells what the runs
// of one pass cannot: a device gets warm, another guest of its host takes the caches, and one
// process has luckier pages than the next. All runs of a pass share such a state, however many they are.
// The zero value has none.
type Passes struct{ results map[[2]int][]RangeResult } // by first and last segment

// Add adds the result of a pass.
func (p *Passes) Add(first, last int, r RangeResult) {
	if p.results == nil {
		p.results = map[[2]int][]RangeResult{}
	}
	key := [2]int{first, last}
	p.results[key] = append(p.results[key], r)
}

// Count is how many passes there were of a range.
func (p *Passes) Count(first, last int) int { return len(p.results[[2]int{first, last}]) }

// Result is what the passes of a range say together: mean times, and the highest peaks. Its Spread
// is of what passes differ by, or of the runs in them where that is more.
func (p *Passes) Result(first, last int) RangeResult {
	list := p.results[[2]int{first, last}]
	var r RangeResult
	served, runs, deviations := 0, 0.0, 0.0
	for _, one := range list {
		r.Seconds += one.Seconds / float64(len(list))
		runs += one.Spread * one.Spread
		deviations += one.Deviation * one.Deviation
		r.Runs += one.Runs
		r.LoadSeconds = max(r.LoadSeconds, one.LoadSeconds)
		r.PeakBytes, r.ServingPeakBytes = max(r.PeakBytes, one.PeakBytes), max(r.ServingPeakBytes, one.ServingPeakBytes)
		if one.ServingCPUSeconds > 0 {
			served++
			r.ServingCPUSeconds += one.ServingCPUSeconds
		}
	}
	r.ServingCPUSeconds /= max(1, float64(served))
	if n := float64(len(list)); n > 0 {
		r.Deviation, r.Spread = math.Sqrt(deviations/n), math.Sqrt(runs)/n
		if n > 1 {
			r.Spread = max(r.Spread, 2*p.Deviation()/math.Sqrt(n))
		}
	}
	return r
}

// What is expected of passes before there are any: that they differ by as much, as a standard
// deviation in shares, as so many pairs of them would say.
const (
	expectedDeviation = 0.02
	expectedPairs     = 4
)

// Deviation is the standard deviation of what a range takes from pass to pass, as a share. It is
// that of all ranges together, as two or three passes of a single one say little.
func (p *Passes) Deviation() float64 {
	squares, degrees := expectedPairs*expectedDeviation*expectedDeviation, float64(expectedPairs)
	inOrder := func(a, b [2]int) int { return slices.Compare(a[:], b[:]) } // sums of floats depend on it
	for _, key := range slices.SortedFunc(maps.Keys(p.results), inOrder) {
		var seconds []float64
		for _, one := range p.results[key] {
			seconds = append(seconds, one.Seconds)
		}
		if m, more := mean(seconds), float64(len(seconds)-1); m > 0 && more > 0 {
			squares, degrees = squares+more*variance(seconds)/(m*m), degrees+more
		}
	}
	return math.Sqrt(squares / degrees)
}
