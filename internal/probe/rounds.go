package probe

import (
	"cmp"
	"slices"
)

// Pair is two devices, by number, the smaller first.
type Pair struct{ A, B int }

// NewPair orders two devices.
func NewPair(a, b int) Pair { return Pair{min(a, b), max(a, b)} }

// Rounds orders tests of pairs of n devices into rounds, so that in a round no device
// is in two tests. All pairs of n devices take n-1 rounds, or n where n is odd, which is
// the fewest; other sets of pairs take at most one round more than the busiest
// device has pairs. A pair is in one round, however often it is given.
//
// All pairs are scheduled by the circle method (Kirkman 1850); others as an edge
// colouring (Misra and Gries, "A constructive proof of Vizing's theorem", Information
// Processing Letters 41, 1992), or by the circle method where that takes fewer rounds.
func Rounds(n int, pairs []Pair) [][]Pair {
	pairs = distinct(pairs)
	circle := byRound(pairs, func(p Pair) int { return circleRound(n, p) })
	if len(circle) <= busiest(n, pairs) {
		return circle
	}
	colours := colourEdges(n, pairs)
	if vizing := byRound(pairs, func(p Pair) int { return colours[p] }); len(vizing) < len(circle) {
		return vizing
	}
	return circle
}

// distinct are the pairs in order, each once and none of a device with itself.
func distinct(pairs []Pair) []Pair {
	list := make([]Pair, 0, len(pairs))
	for _, p := range pairs {
		if p.A != p.B {
			list = append(list, NewPair(p.A, p.B))
		}
	}
	slices.SortFunc(list, func(x, y Pair) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return slices.Compact(list)
}

// circleRound is the round of a pair when all others go round one that stands still.
// With an odd number, one that is not there stands still.
func circleRound(n int, p Pair) int {
	others := n - 1
	if n%2 == 1 {
		others = n
	}
	if p.B == others { // the one that stands still
		return (2 * p.A) % others
	}
	return (p.A + p.B) % others
}

// byRound gathers pairs by their round and leaves out empty ones.
func byRound(pairs []Pair, round func(Pair) int) [][]Pair {
	gathered := map[int][]Pair{}
	for _, p := range pairs {
		gathered[round(p)] = append(gathered[round(p)], p)
	}
	rounds := make([][]Pair, 0, len(gathered))
	for r := range gathered {
		rounds = append(rounds, gathered[r])
	}
	slices.SortFunc(rounds, func(x, y []Pair) int { return cmp.Or(cmp.Compare(x[0].A, y[0].A), cmp.Compare(x[0].B, y[0].B)) })
	return rounds
}

// busiest is the most pairs that one device has.
func busiest(n int, pairs []Pair) int {
	degree := make([]int, n)
	for _, p := range pairs {
		degree[p.A]++
		degree[p.B]++
	}
	return slices.Max(append(degree, 0))
}

// Media spreads rounds so that in none two pairs are on the same medium, as one radio
// channel. media names those of a pair; none is a line of its own.
func Media(rounds [][]Pair, media func(Pair) []string) [][]Pair {
	var spread, later [][]Pair
	for _, round := range rounds {
		var now, wait []Pair
		taken := map[string]bool{}
		for _, p := range round {
			if slices.ContainsFunc(media(p), func(m string) bool { return taken[m] }) {
				wait = append(wait, p)
				continue
			}
			for _, m := range media(p) {
				taken[m] = true
			}
			now = append(now, p)
		}
		spread = append(spread, now)
		for _, p := range wait {
			later = append(later, []Pair{p})
		}
	}
	for _, pair := range later {
		spread = placeFirst(spread, pair[0], media)
	}
	return spread
}

// placeFirst puts a pair into the first round where it disturbs none, or a new one.
func placeFirst(rounds [][]Pair, p Pair, media func(Pair) []string) [][]Pair {
	shared := func(q Pair) bool {
		return slices.ContainsFunc(media(p), func(m string) bool { return slices.Contains(media(q), m) })
	}
	for i, round := range rounds {
		clash := slices.ContainsFunc(round, func(q Pair) bool {
			return p.A == q.A || p.A == q.B || p.B == q.A || p.B == q.B || shared(q)
		})
		if !clash {
			rounds[i] = append(rounds[i], p)
			return rounds
		}
	}
	return append(rounds, []Pair{p})
}
