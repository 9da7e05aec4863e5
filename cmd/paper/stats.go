package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// estimate is a mean over networks with the half width of its 95 % confidence interval
// by Student's t distribution.
type estimate struct {
	mean, half float64
	n          int
}

// estimateOf is the estimate of a sample of independent values.
func estimateOf(sample []float64) estimate {
	n := len(sample)
	if n < 2 {
		e := estimate{math.NaN(), math.NaN(), n}
		if n == 1 {
			e.mean = sample[0]
		}
		return e
	}
	mean, deviation := stat.MeanStdDev(sample, nil)
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
	return estimate{mean, t * deviation / math.Sqrt(float64(n)), n}
}

// holds says whether a value is within the interval.
func (e estimate) holds(x float64) bool { return math.Abs(x-e.mean) <= e.half }

// agrees says whether another mean, of as many networks drawn in the same way, differs
// by no more than 95 % of such means do.
func (e estimate) agrees(x float64) bool { return math.Abs(x-e.mean) <= math.Sqrt2*e.half }

// String has as many digits as the interval supports.
func (e estimate) String() string {
	switch {
	case e.n == 0:
		return "-"
	case e.n == 1 || e.half < 1e-9*math.Abs(e.mean): // no spread
		return fmt.Sprintf("%.4g", e.mean)
	}
	digits := 3
	if e.half > 0 {
		digits = min(5, max(0, 1-int(math.Floor(math.Log10(e.half)))))
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, e.mean, digits, e.half)
}

// percent is the same times 100.
func (e estimate) percent() estimate { return estimate{100 * e.mean, 100 * e.half, e.n} }

// measure is one number of an instance, if it has it.
type measure func(*instance) (x float64, ok bool)

// times is the bottleneck in seconds.
func times(of func(*instance) outcome) measure {
	return func(in *instance) (float64, bool) { return of(in).seconds, of(in).ok() }
}

// optimum is the proven best bottleneck.
func optimum(of func(*instance) proof) measure {
	return func(in *instance) (float64, bool) { return of(in).seconds, of(in).ok() && of(in).proven() }
}

// over divides one measure by another.
func (m measure) over(other measure) measure {
	return func(in *instance) (float64, bool) {
		x, has := m(in)
		y, both := other(in)
		return x / y, has && both
	}
}

// selection is a part of the instances.
type selection []*instance

func (s selection) where(keep func(*instance) bool) (out selection) {
	for _, in := range s {
		if keep(in) {
			out = append(out, in)
		}
	}
	return out
}

func (s selection) row(r rowName) selection {
	return s.where(func(in *instance) bool { return in.model == r.model && in.mib == r.mib })
}

func (s selection) nodes(n int) selection {
	return s.where(func(in *instance) bool { return in.nodes == n })
}

func (s selection) count(keep func(*instance) bool) int { return len(s.where(keep)) }

// networks groups the instances by network, in the order in which they come.
func (s selection) networks() (out []selection) {
	at := map[[2]int]int{}
	for _, in := range s {
		key := [2]int{in.nodes, in.trial}
		k, known := at[key]
		if !known {
			k = len(out)
			at[key] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], in)
	}
	return out
}

// mean estimates a measure. All rows use the same networks, so the values of one
// network are averaged first, and only the networks count as independent.
func (s selection) mean(m measure) estimate {
	var sample []float64
	for _, same := range s.networks() {
		var values []float64
		for _, in := range same {
			if x, ok := m(in); ok {
				values = append(values, x)
			}
		}
		if len(values) > 0 {
			sample = append(sample, stat.Mean(values, nil))
		}
	}
	return estimateOf(sample)
}

// meanOfSums estimates the ratio of two measures, each added up over the rows of one
// network that have both.
func (s selection) meanOfSums(above, below measure) estimate {
	var sample []float64
	for _, same := range s.networks() {
		var a, b float64
		for _, in := range same {
			x, has := above(in)
			y, both := below(in)
			if has && both {
				a, b = a+x, b+y
			}
		}
		if b > 0 {
			sample = append(sample, a/b)
		}
	}
	return estimateOf(sample)
}
