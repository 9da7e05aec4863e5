// Package suggest finds what someone meant who wrote an unknown name.
package suggest

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// shown is how many names a sentence lists.
const shown = 10

// Sentence ends an error about an unknown name: the candidate most like it, else
// what there is to choose from. Candidates are things of a kind, as "output".
func Sentence(given string, candidates []string, kind string) string {
	if best := Nearest(given, candidates); best != "" {
		return fmt.Sprintf("Did you mean %s?", best)
	}
	switch n := len(candidates); {
	case n == 0:
		return fmt.Sprintf("There is no %s at all.", kind)
	case n > shown:
		return fmt.Sprintf("There are %d, among them %s.", n, strings.Join(candidates[:shown], ", "))
	}
	return fmt.Sprintf("Choose from %s.", strings.Join(candidates, ", "))
}

// Nearest is the candidate most like a name, or "" when none is like it. Of equals
// the first wins.
func Nearest(given string, candidates []string) string {
	best, limit := "", max(2, len(given)/3)+1
	for _, candidate := range candidates {
		distance := levenshtein.Distance(strings.ToLower(given), strings.ToLower(candidate), nil)
		if distance < limit {
			best, limit = candidate, distance
		}
	}
	return best
}
