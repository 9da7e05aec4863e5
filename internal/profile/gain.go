package profile

import "math"

// gain is by how much a measured range differs from the sum of its segments: the engine fuses
// what it sees together, and what fits into a cache is quicker than what does not.
type gain struct {
	first, last int
	log         float64 // of measured over summed
	spread      float64
}

// unlike is how far the gains of two ranges are expected to be apart that have little in
// common, and that of any range from none, as a share.
const unlike = 0.15

// mostGain bounds the factor: what is beyond is no gain, but times that contradict each other.
const mostGain = 2

func (t *Times) gainsOf(ranges []Timed) []gain {
	var list []gain
	for _, r := range ranges {
		if summed := t.summed(r.First, r.Last); summed > 0 {
			log := math.Log(min(max(r.Seconds/summed, 1/mostGain), mostGain))
			list = append(list, gain{r.First, r.Last, log, within(r.Spread)})
		}
	}
	return list
}

// gain is the mean of those of the measured ranges: each counts as it is like this one, and as
// closely as it was measured. Of a range that was measured itself, others says to leave it out.
func (t *Times) gain(first, last int, others bool) float64 {
	sum, weights := 0.0, 1/(unlike*unlike)
	for _, g := range t.gains {
		if others && g.first == first && g.last == last {
			continue
		}
		like := t.likeness(first, last, g)
		apart := unlike * (1 - like)
		w := like * like / (g.spread*g.spread + apart*apart)
		sum, weights = sum+w*g.log, weights+w
	}
	return math.Exp(sum / weights)
}

// likeness is 1 of a range with itself, and less the more two differ in their time, and where
// the shorter is not in the longer: half at most of what is apart.
func (t *Times) likeness(first, last int, g gain) float64 {
	common := 0.0
	if from, to := max(first, g.first), min(last, g.last); from <= to {
		common = t.before[to+1] - t.before[from]
	}
	one, other := t.before[last+1]-t.before[first], t.before[g.last+1]-t.before[g.first]
	shorter, longer := min(one, other), max(one, other)
	if shorter <= 0 {
		return 0
	}
	return shorter / longer * (1 + common/shorter) / 2
}
