package probe

import (
	"crypto/rand"
	"fmt"
)

// Limits bound one test of one direction of a link.
type Limits struct {
	Bytes int64 `json:"bytes"` // of filler, at most
	// Floor is the shortest and Cap the longest time that filler travels, in seconds.
	Floor float64 `json:"floor_seconds"`
	Cap   float64 `json:"cap_seconds"`
	Goal  float64 `json:"goal"` // spread at which the test stops
}

// Hard limits, whatever is asked for: 1 % of a day is 864 s.
const (
	mostBytes   = 1 << 30
	MostSeconds = 60
	mostSpread  = 1 // of Estimate
	// MostDeviation is what the deviation of single runs is said to be at most.
	MostDeviation = 10
)

// DefaultLimits are fit for links from 1 Mbit/s to 10 Gbit/s.
func DefaultLimits() Limits { return Limits{Bytes: 32 << 20, Floor: 0.5, Cap: 4, Goal: Goal} }

// Bounded are limits of which none is beyond reason; what makes no sense is the default.
func (l Limits) Bounded() Limits {
	d := DefaultLimits()
	clamp := func(x, least, most, otherwise float64) float64 {
		if !(x > 0) {
			return otherwise
		}
		return min(max(x, least), most)
	}
	return Limits{
		Bytes: int64(clamp(float64(l.Bytes), 64<<10, mostBytes, float64(d.Bytes))),
		Floor: clamp(l.Floor, 0.05, MostSeconds/2, d.Floor),
		Cap:   clamp(l.Cap, 0.1, MostSeconds, d.Cap),
		Goal:  clamp(l.Goal, 0.001, 1, d.Goal),
	}
}

// LinkResult is one direction of a link.
type LinkResult struct {
	BytesPerSecond   float64 `json:"bytes_per_second"`
	Spread           float64 `json:"spread"`
	RoundTripSeconds float64 `json:"round_trip_seconds"`
	Bytes            int64   `json:"bytes"`   // of filler that arrived
	Seconds          float64 `json:"seconds"` // for which it did
}

// Check refuses what no link gives.
func (r LinkResult) Check() error {
	for _, x := range []float64{r.BytesPerSecond / 1e6, r.Spread, r.RoundTripSeconds, r.Seconds} {
		if !sensible(x) {
			return fmt.Errorf("the other device's answer makes no sense: %+v", r)
		}
	}
	if r.Spread > mostSpread {
		return fmt.Errorf("the other device's answer makes no sense: %+v", r)
	}
	if r.BytesPerSecond == 0 || r.Bytes < 0 {
		return fmt.Errorf("too little came to tell the bandwidth (%d bytes)", r.Bytes)
	}
	return nil
}

// SecretBytes of a test are random, used once, and travel to both ends over SSH only.
const SecretBytes = 32

// NewSecret makes what both ends of one test know.
func NewSecret() []byte {
	secret := make([]byte, SecretBytes)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// Check refuses what no worker costs.
func (b Base) Check() error {
	if b.WorkerBytes < 0 || b.RunnerBytes < 0 || b.WorkerBytes > mostMemory || b.RunnerBytes > mostMemory || !sensible(b.LoadSeconds) || !sensible(b.RequestSeconds) || !sensible(1e6*b.ByteSeconds) {
		return fmt.Errorf("the device's answer makes no sense: %+v", b)
	}
	return nil
}

// Check refuses what no range takes.
func (r RangeResult) Check() error {
	if !sensible(r.Seconds) || !sensible(r.ServingCPUSeconds) || !sensible(r.Spread) || r.Spread > mostSpread || !(r.Deviation >= 0 && r.Deviation <= MostDeviation) || r.PeakBytes < 0 || r.PeakBytes > mostMemory || r.ServingPeakBytes < 0 || r.ServingPeakBytes > mostMemory {
		return fmt.Errorf("the device's answer makes no sense: %+v", r)
	}
	return nil
}

// sensible is no negative amount, and none of days or terabytes per second.
func sensible(x float64) bool { return x >= 0 && x < 1e6 }
