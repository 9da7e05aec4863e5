package profile

// Peak is the measured memory of a worker that runs a range.
type Peak struct {
	Bytes       float64
	Base        float64 // of the worker before it has a slice
	Weights     float64 // of the range
	Activations float64 // the largest alive at once in the range
}

// Memory is what a worker needs: its base, Stage, WeightFactor for every byte of
// weights, and ActivationFactor for every byte of the largest activations alive at once.
type Memory struct {
	Stage            float64 // bytes
	WeightFactor     float64
	ActivationFactor float64
}

const (
	peakSpread = 0.02 // of a measured peak
	// What is expected where peaks leave it open, and how far from it: a stage itself
	// takes nothing, and activations what they are.
	stageSlack  = 16 << 20
	factorSlack = 0.5
)

// FitMemory finds the memory that agrees with the measured peaks as well as possible,
// and is near weights times a factor and activations as they are where the peaks leave it
// open.
func FitMemory(peaks []Peak, weightFactor float64) Memory {
	terms := []term{
		{[]int{0}, []float64{1}, 0}, // in units of stageSlack
		near(1, weightFactor, factorSlack),
		near(2, 1, factorSlack),
	}
	for _, p := range peaks {
		weight := 1 / (peakSpread * p.Bytes)
		terms = append(terms, term{
			at:           []int{0, 1, 2},
			coefficients: []float64{stageSlack * weight, p.Weights * weight, p.Activations * weight},
			want:         (p.Bytes - p.Base) * weight,
		})
	}
	x := leastSquares(terms, []float64{0, weightFactor, 1})
	return Memory{stageSlack * x[0], x[1], x[2]}
}

// Bytes that a worker needs for weights and activations beside its base.
func (m Memory) Bytes(weights, activations float64) float64 {
	return m.Stage + m.WeightFactor*weights + m.ActivationFactor*activations
}
