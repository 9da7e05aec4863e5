package profile

import "math"

// term is one summand of a sum of squares: (Σ coefficient·x - want)², where a coefficient
// belongs to the unknown of the same number.
type term struct {
	at           []int
	coefficients []float64
	want         float64
}

// Bounds of the search, which ends at the first that is met.
const (
	mostSweeps = 5000
	closeness  = 1e-12 // largest step of a sweep as a share of the largest unknown
)

// leastSquares finds the n unknowns, none below 0, that make the sum of squares of the
// terms least, from a start. It goes through the unknowns one by one, each time to the
// best value of one of them: the sum of squares is convex, so this ends at its least,
// and every unknown stands in a term by itself, so there is one such point (see C. Lawson
// and R. Hanson, Solving Least Squares Problems, chapter 23, for the problem).
func leastSquares(terms []term, start []float64) []float64 {
	n := len(start)
	x := append([]float64{}, start...)
	square, linear := normal(terms, n)
	for range mostSweeps {
		step, largest := 0.0, 0.0
		for i := range n {
			slope := -linear[i]
			for j, s := range square[i] {
				slope += s * x[j]
			}
			next := math.Max(0, x[i]-slope/square[i][i])
			step = math.Max(step, math.Abs(next-x[i]))
			x[i] = next
			largest = math.Max(largest, next)
		}
		if step <= closeness*largest {
			break
		}
	}
	return x
}

// normal are the normal equations of the terms.
func normal(terms []term, n int) (square [][]float64, linear []float64) {
	square, linear = make([][]float64, n), make([]float64, n)
	for i := range square {
		square[i] = make([]float64, n)
	}
	for _, t := range terms {
		for p, i := range t.at {
			linear[i] += t.coefficients[p] * t.want
			for q, j := range t.at {
				square[i][j] += t.coefficients[p] * t.coefficients[q]
			}
		}
	}
	return square, linear
}

// near keeps an unknown near a value: it counts as one measurement that is within
// slack of it.
func near(unknown int, value, slack float64) term {
	return term{[]int{unknown}, []float64{1 / slack}, value / slack}
}
