package solver

import "slices"

// packing is the linear programme behind the best prices: how much of a placement
// can be packed out of walks, when all of them together use no node more than
// once?
//
//	maximise sum y_p   such that   sum y_p uses_p(c) <= members(c),   y >= 0
//
// A placement is a packing of 1, so when less than 1 can be packed there is none.
// The dual values are the prices. It is solved by column generation (Gilmore and
// Gomory, Operations Research 9, 1961): the columns are the walks that walks.go
// finds too cheap, and the primal simplex method with an explicit inverse starts
// from the empty packing. Its floating point decides nothing: a proof is made by
// walks.go, from the prices rounded to integers.
type packing struct {
	rows  int
	pool  []column
	inv   []float64 // [row*rows+row], the inverse of the basis
	basis []int     // [row]: the number of a column, or -1 for slack
	x     []float64 // [row]: how much of it is packed
	duals []float64 // [row]
	step  []float64
}

type column struct {
	use []float64 // [row]
	in  bool      // in the basis
}

const (
	tiny      = 1e-9
	gainful   = 1e-8 // what a column must gain to come in
	shortlist = 16   // columns looked at between two looks at all of them
)

// newPacking begins a programme with the given right sides and no column.
func newPacking(right []float64) *packing {
	n := len(right)
	l := &packing{rows: n, inv: make([]float64, n*n), basis: make([]int, n), x: slices.Clone(right),
		duals: make([]float64, n), step: make([]float64, n)}
	for r := range n {
		// Right sides that differ keep the simplex method from standing still.
		l.x[r] *= 1 + 1e-7*float64(r*7919%n+1)/float64(n)
		l.inv[r*n+r], l.basis[r] = 1, -1
	}
	return l
}

func (l *packing) add(use []float64) { l.pool = append(l.pool, column{use: use}) }

// value is how much is packed.
func (l *packing) value() (sum float64) {
	for r, k := range l.basis {
		if k >= 0 {
			sum += l.x[r]
		}
	}
	return sum
}

// solve packs as much as the columns allow and gives the steps that this took.
func (l *packing) solve() (work int) {
	var list []int
	for range 50 * l.rows {
		l.price()
		work += l.rows * l.rows
		enter, most := l.best(list)
		if enter < 0 {
			list = l.gainers()
			work += len(l.pool) * l.rows
			enter, most = l.best(list)
		}
		slack := -1
		for r, d := range l.duals {
			if -d > most {
				slack, enter, most = r, -1, -d
			}
		}
		if enter < 0 && slack < 0 || !l.pivot(enter, slack) {
			break
		}
	}
	return work
}

// price finds the duals of the basis.
func (l *packing) price() {
	clear(l.duals)
	for r, k := range l.basis {
		if k >= 0 {
			for c, x := range l.inv[r*l.rows : (r+1)*l.rows] {
				l.duals[c] += x
			}
		}
	}
}

// gain is what a unit of a column adds to the value, less what it displaces.
func (l *packing) gain(k int) float64 {
	if l.pool[k].in {
		return 0
	}
	return 1 - dot(l.duals, l.pool[k].use)
}

func dot(x, y []float64) (sum float64) {
	for k := range x {
		sum += x[k] * y[k]
	}
	return sum
}

// best is the most gainful of some columns.
func (l *packing) best(list []int) (enter int, most float64) {
	enter, most = -1, gainful
	for _, k := range list {
		if gain := l.gain(k); gain > most {
			enter, most = k, gain
		}
	}
	return enter, most
}

// gainers are the most gainful columns of all.
func (l *packing) gainers() (list []int) {
	var gains []float64
	for k := range l.pool {
		gain := l.gain(k)
		if gain <= gainful || len(list) == shortlist && gain <= gains[shortlist-1] {
			continue
		}
		at := len(gains)
		for at > 0 && gains[at-1] < gain {
			at--
		}
		gains, list = slices.Insert(gains, at, gain), slices.Insert(list, at, k)
		if len(list) > shortlist {
			gains, list = gains[:shortlist], list[:shortlist]
		}
	}
	return list
}

// pivot brings a column, or the slack of a row, into the basis; false when nothing
// bounds it, which only rounding can cause.
func (l *packing) pivot(enter, slack int) bool {
	leave, least := -1, 0.0
	for r := range l.step {
		row := l.inv[r*l.rows : (r+1)*l.rows]
		if enter >= 0 {
			l.step[r] = dot(row, l.pool[enter].use)
		} else {
			l.step[r] = row[slack]
		}
		if s := l.step[r]; s > tiny && (leave < 0 || l.x[r]/s < least) {
			leave, least = r, l.x[r]/s
		}
	}
	if leave < 0 {
		return false
	}
	if k := l.basis[leave]; k >= 0 {
		l.pool[k].in = false
	}
	if l.basis[leave] = enter; enter >= 0 {
		l.pool[enter].in = true
	}
	l.eliminate(leave, least)
	return true
}

// eliminate turns the entering column into a unit column.
func (l *packing) eliminate(leave int, amount float64) {
	out := l.inv[leave*l.rows : (leave+1)*l.rows]
	for c := range out {
		out[c] /= l.step[leave]
	}
	for r, s := range l.step {
		if r == leave || s == 0 {
			continue
		}
		row := l.inv[r*l.rows : (r+1)*l.rows]
		for c, x := range out {
			row[c] -= s * x
		}
		l.x[r] = max(0, l.x[r]-s*amount)
	}
	l.x[leave] = max(0, amount)
}
