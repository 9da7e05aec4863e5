package probe

import "math"

// Estimate is a mean with its uncertainty.
type Estimate struct {
	Mean float64 `json:"mean"`
	// Spread is half of the 95 % confidence interval as a share of the mean; 1 where
	// there are too few samples to tell.
	Spread float64 `json:"spread"`
	// Deviation is the standard deviation of the samples as a share of the mean.
	Deviation float64 `json:"deviation"`
	// Samples that the mean is of, behind those that were dropped at the start.
	Samples int `json:"samples"`
	Dropped int `json:"dropped"`
}

// Goal is how close an estimate should be before a measurement stops: 5 %.
const Goal = 0.05

// Limits of how many batches the interval is made of: fewer say little, and with
// more, neighbouring batches depend on each other.
const (
	leastBatches = 4
	mostBatches  = 10
)

// Steady estimates the mean of a series that begins before it is steady, as
// a TCP connection in slow start or an engine with cold caches does. The start is
// dropped by the marginal standard error rule (MSER; White, "An effective truncation
// heuristic for bias reduction in simulation output", Simulation 69(6), 1997), the
// interval is that of the means of consecutive batches (Student's t), which neighbours
// that resemble each other do not narrow.
func Steady(samples []float64) Estimate {
	dropped := truncation(samples)
	kept := samples[dropped:]
	e := Estimate{Mean: mean(kept), Spread: 1, Samples: len(kept), Dropped: dropped}
	batches := batchMeans(kept)
	if len(batches) < leastBatches || e.Mean <= 0 {
		return e
	}
	e.Deviation = math.Sqrt(variance(kept)) / e.Mean
	n := float64(len(batches))
	half := studentT(len(batches)-1) * math.Sqrt(variance(batches)/n)
	e.Spread = min(1, half/e.Mean)
	return e
}

// truncation is how many samples to drop, half of them at most: those without which
// the standard error of the rest is least. Mean and squares are gathered from the end
// (Welford 1962).
func truncation(samples []float64) int {
	best, at := math.Inf(1), 0
	m, squares := 0.0, 0.0
	for d := len(samples) - 1; d >= 0; d-- {
		n := float64(len(samples) - d)
		delta := samples[d] - m
		m += delta / n
		squares += delta * (samples[d] - m)
		if e := squares / (n * n); d <= len(samples)/2 && n > 1 && e <= best {
			best, at = e, d
		}
	}
	return at
}

// batchMeans are the means of batches of one size; what does not fill one is left out
// at the start.
func batchMeans(samples []float64) []float64 {
	count := min(len(samples), mostBatches)
	if count == 0 {
		return nil
	}
	size := len(samples) / count
	samples = samples[len(samples)-size*count:]
	means := make([]float64, count)
	for i := range means {
		means[i] = mean(samples[i*size : (i+1)*size])
	}
	return means
}

func mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// variance is that of a sample: 0 for fewer than two.
func variance(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-1)
}

// studentT is the 97.5 % quantile of Student's t distribution with 1 to 9 degrees of
// freedom: mostBatches needs no more.
func studentT(degrees int) float64 {
	return [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262}[degrees-1]
}
