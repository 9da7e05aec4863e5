package solver

import "math"

// Time is counted in whole picoseconds. Every comparison of the search and
// every certificate is one of these integers, so a proof is never rounding;
// Evaluate counts the same way, so a bound and a cost can meet exactly. Against
// real arithmetic a stage differs by less than 2 ps, a transfer by less than 1.

const (
	psPerSecond = 1e12
	// never is above any sum of times that Validate lets pass.
	never int64 = math.MaxInt64 / 4
)

// toSeconds converts picoseconds for reports. It is monotonic, so an order
// among integers stays an order among floats.
func toSeconds(ps int64) float64 { return float64(ps) / psPerSecond }

// toPS rounds seconds to the nearest picosecond.
func toPS(seconds float64) int64 { return int64(math.Round(seconds * psPerSecond)) }

// prefixPS gives the rounded time of the first k segments for every k. Only the
// prefixes are rounded, so a range of any length is off by at most one
// picosecond, and ranges add up exactly.
func prefixPS(seconds []float64) []int64 {
	const fraction = 1 << 32
	out := make([]int64, len(seconds)+1)
	var whole, part int64
	for k, s := range seconds {
		w, f := math.Modf(s * psPerSecond)
		whole += int64(w)
		part += int64(f * fraction)
		out[k+1] = whole + (part+fraction/2)/fraction
	}
	return out
}

// bytesPS is the time of n bytes at a rate in picoseconds per byte.
func bytesPS(n int64, psPerByte float64) int64 {
	if n == 0 {
		return 0 // also where a byte takes for ever
	}
	return int64(math.Round(float64(n) * psPerByte))
}

// linkRate is the picoseconds per byte of a bandwidth in bytes per second.
func linkRate(bandwidth float64) float64 { return psPerSecond / bandwidth }
