package simulation

import (
	"math"
	"math/rand/v2"
)

// jitter draws factors around 1: log-normal, since times have a long tail and are never
// negative. The zero value is always 1.
type jitter struct {
	random    *rand.Rand
	mu, sigma float64
}

// newJitter has a mean of 1 and a standard deviation of spread.
func newJitter(random *rand.Rand, spread float64) jitter {
	if spread == 0 {
		return jitter{}
	}
	variance := math.Log1p(spread * spread)
	return jitter{random: random, mu: -variance / 2, sigma: math.Sqrt(variance)}
}

func (j *jitter) draw() float64 {
	if j.random == nil {
		return 1
	}
	return math.Exp(j.mu + j.sigma*j.random.NormFloat64())
}

// Factors gives what the times of a stage's runs are their mean times, one after the other:
// those of stage k of model i of a system that is run with a seed.
func (s Stage) Factors(seed uint64, model, stage int) func() float64 {
	j := newJitter(randomOf(seed, model, 2*stage+1), s.Jitter)
	return j.draw
}

// randomOf gives each part of a system its own stream of random numbers, so that a change
// of one part leaves the draws of the others as they were.
func randomOf(seed uint64, model, part int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(model)<<32|uint64(part)))
}
