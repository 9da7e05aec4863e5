package solver

import "math/bits"

// bitset is a set of positions.
type bitset []uint64

func words(size int) int { return (size + 63) / 64 }

func (b bitset) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

func (b bitset) or(o bitset) {
	for w := range b {
		b[w] |= o[w]
	}
}

// orAnd adds the intersection of x and y.
func (b bitset) orAnd(x, y bitset) {
	for w := range b {
		b[w] |= x[w] & y[w]
	}
}

func (b bitset) keepOnly(o bitset) {
	for w := range b {
		if w < len(o) {
			b[w] &= o[w]
		} else {
			b[w] = 0
		}
	}
}

func (b bitset) without(o bitset) {
	for w := range b {
		b[w] &^= o[w]
	}
}

func (b bitset) meets(o bitset) bool {
	for w := range b {
		if b[w]&o[w] != 0 {
			return true
		}
	}
	return false
}

func (b bitset) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// next is the first member at or after i, or -1.
func (b bitset) next(i int) int {
	for w := i >> 6; w < len(b); w++ {
		x := b[w]
		if w == i>>6 {
			x &= ^uint64(0) << (i & 63)
		}
		if x != 0 {
			return w<<6 + bits.TrailingZeros64(x)
		}
	}
	return -1
}

// mostRouted is how many nodes a memory can hold.
const mostRouted = 128

// nodeSet is a set of members of classes.
type nodeSet [mostRouted / 64]uint64

func (s nodeSet) has(bit int) bool { return s[bit>>6]>>(bit&63)&1 != 0 }

func (s *nodeSet) set(bit int) { s[bit>>6] |= 1 << (bit & 63) }

func (s nodeSet) and(o nodeSet) nodeSet { return nodeSet{s[0] & o[0], s[1] & o[1]} }

func (s nodeSet) or(o nodeSet) nodeSet { return nodeSet{s[0] | o[0], s[1] | o[1]} }

func (s nodeSet) within(o nodeSet) bool { return s[0]&^o[0] == 0 && s[1]&^o[1] == 0 }
