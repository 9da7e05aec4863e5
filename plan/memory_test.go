package plan

import (
	"math"
	"testing"
)

// What workers exceeded is told apart into what goes with the messages around their ranges and what
// does not; a single one tells nothing of messages.
func TestExcessOfServing(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		list    excesses
		buffers int64
		beside  float64
	}{
		{"nothing served", nil, 0, 0},
		{"one", excesses{{8 * mib, mib}}, 0, 8 * mib},
		{"alike", excesses{{8 * mib, mib}, {8 * mib, 2 * mib}}, 0, 8 * mib},
		{"with messages", excesses{{5 * mib, mib}, {8 * mib, 2 * mib}, {3.5 * mib, mib / 2}}, 3, 2 * mib},
		{"messages alone", excesses{{4 * mib, 2 * mib}, {2 * mib, mib}}, 2, 0},
		{"less than was said", excesses{{-5 * mib, mib}, {-8 * mib, 2 * mib}}, 0, 0},
		{"far more", excesses{{20 * mib, mib}, {40 * mib, 2 * mib}}, 8, 18 * mib},
	} {
		buffers := c.list.buffers()
		if beside := c.list.beside(buffers); buffers != c.buffers || math.Abs(beside-c.beside) > 1 {
			t.Errorf("%s: %d buffers and %g bytes, want %d and %g", c.name, buffers, beside, c.buffers, c.beside)
		}
	}
}
