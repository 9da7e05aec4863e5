package solver

import (
	"math/bits"
	"slices"
)

// layer holds the beginnings of a number of stages.
type layer struct {
	masks, sets int // words of each
	spots       []spot
	mask        []uint64
	at          []uint64
}

// spot is a beginning: the nodes in its mask are used, the last stage is on class.
type spot struct {
	hash     uint64
	pays     int64 // at prune's prices
	leadPays int64
	rank     int64 // at lead's prices with the least rest
	class    int32
}

func (l *layer) maskOf(k int) []uint64 { return l.mask[k*l.masks : (k+1)*l.masks] }
func (l *layer) atOf(k int) bitset     { return bitset(l.at[k*l.sets : (k+1)*l.sets]) }

// keep drops the dearest beginnings of a layer that has more than the width.
func (g *guided) keep(l *layer) {
	if len(l.spots) <= g.width {
		return
	}
	g.cut = true
	// Rank, a little rounded, and the number in the layer, packed.
	shift := bits.Len(uint(len(l.spots)))
	order := make([]uint64, len(l.spots))
	for k := range l.spots {
		order[k] = uint64(l.spots[k].rank>>4)<<shift | uint64(k)
	}
	slices.Sort(order)
	g.most = l.spots[order[g.width-1]&(1<<shift-1)].rank
	stays := make([]int, 0, g.width)
	for _, x := range order[:g.width] {
		stays = append(stays, int(x&(1<<shift-1)))
	}
	slices.Sort(stays)
	for to, k := range stays {
		l.spots[to] = l.spots[k]
		copy(l.maskOf(to), l.maskOf(k))
		copy(l.atOf(to), l.atOf(k))
	}
	l.spots, l.mask, l.at = l.spots[:g.width], l.mask[:g.width*l.masks], l.at[:g.width*l.sets]
	g.rehash(l, len(g.slots))
}

// slot is where the hash table has a beginning, or would have it.
func (g *guided) slot(l *layer, hash uint64, mask []uint64, bit, d int) int {
	last := len(g.slots) - 1
	for slot := int(mix(hash+uint64(d))) & last; ; slot = (slot + 1) & last {
		k := g.slots[slot]
		if k == 0 || l.spots[k-1].class == int32(d) && l.spots[k-1].hash == hash && sameWith(l.maskOf(int(k-1)), mask, bit) {
			return slot
		}
	}
}

// sameWith says whether a mask is another one with one more bit.
func sameWith(with, mask []uint64, bit int) bool {
	for w, x := range mask {
		if w == bit>>6 {
			x |= 1 << (bit & 63)
		}
		if with[w] != x {
			return false
		}
	}
	return true
}

// rehash fills a hash table for a layer.
func (g *guided) rehash(l *layer, size int) {
	if size > len(g.slots) {
		g.slots = make([]int32, size)
	} else {
		clear(g.slots)
	}
	last := len(g.slots) - 1
	for k := range l.spots {
		slot := int(mix(l.spots[k].hash+uint64(l.spots[k].class))) & last
		for g.slots[slot] != 0 {
			slot = (slot + 1) & last
		}
		g.slots[slot] = int32(k + 1)
	}
}

// mix scatters the bits of a number (splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
