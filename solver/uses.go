package solver

// uses counts in mixed radix how many members of each class are taken: one
// digit a class.
type uses struct {
	stride []int
	size   []int
	states int // how many codes there are; 0 when there are too many to hold
}

// maxStates is the largest table of states that is built.
const maxStates = 1 << 24

func (m *model) uses() uses {
	u := uses{states: 1}
	for _, c := range m.classes {
		u.stride = append(u.stride, u.states)
		u.size = append(u.size, len(c.members))
		if u.states *= len(c.members) + 1; u.states > maxStates {
			return uses{}
		}
	}
	return u
}

// count is how many members of a class a code has taken.
func (u *uses) count(code, c int) int { return code / u.stride[c] % (u.size[c] + 1) }

// total is how many nodes a code has taken.
func (u *uses) total(code int) int {
	n := 0
	for c := range u.stride {
		n += u.count(code, c)
	}
	return n
}

// grid is one bit set for each code and class.
type grid struct {
	width, classes int
	bits           bitset
}

func newGrid(states, classes, size int) grid {
	w := words(size)
	return grid{width: w, classes: classes, bits: make(bitset, states*classes*w)}
}

func (g *grid) at(code, c int) bitset {
	k := (code*g.classes + c) * g.width
	return g.bits[k : k+g.width]
}
