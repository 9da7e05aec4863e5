package solver

import "flag"

var allDraws = flag.Bool("all-draws", false, "draw all problems that make check-solver draws, and the largest, not some of them")

// draws is how many of n random problems a test draws.
func draws(n uint64) uint64 {
	if *allDraws {
		return n
	}
	return max(1, n/5)
}

// largest is the size of a test's largest problem with -all-draws, and otherwise.
func largest(all, otherwise int) int {
	if *allDraws {
		return all
	}
	return otherwise
}
