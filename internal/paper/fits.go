package paper

import "slices"

// Fit says by which count all parts of a partition fit one capacity.
type Fit struct {
	Published bool // the published rule, see Chain.Fits
	Whole     bool // the same bytes with no block left out: it goes to the part behind the cut
	True      bool // 4 bytes for each parameter, and the largest set of outputs alive at once
}

// FitOf checks a partition that ends its parts at cuts.
func (c *Chain) FitOf(cuts []int, capacity int64) Fit {
	f := Fit{true, true, true}
	from := 0
	for _, last := range append(slices.Clone(cuts), len(c.Points)-1) {
		to := last + 1
		f.Published = f.Published && c.Fits(from, to, capacity)
		f.Whole = f.Whole && total(c.Block[max(from-1, 0):to-1]) < capacity
		f.True = f.True && total(c.Weights[from:to])+slices.Max(c.Live[from:to]) <= capacity
		from = to
	}
	return f
}

func total(bytes []int64) (sum int64) {
	for _, b := range bytes {
		sum += b
	}
	return sum
}
