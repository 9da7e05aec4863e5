package config

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// nearest is the candidate most like a name, or "" when none is like it. Of
// equals the first wins.
func nearest(given string, candidates []string) string {
	best, limit := "", max(2, len(given)/3)+1
	for _, candidate := range candidates {
		distance := levenshtein.Distance(strings.ToLower(given), strings.ToLower(candidate), nil)
		if distance < limit {
			best, limit = candidate, distance
		}
	}
	return best
}

// didYouMean is a sentence that ends an error about an unknown name.
func didYouMean(given string, candidates []string, what string) string {
	if best := nearest(given, candidates); best != "" {
		return fmt.Sprintf("Did you mean %s?", best)
	}
	if len(candidates) == 0 {
		return fmt.Sprintf("There is no %s; declare one.", what)
	}
	const shown = 10
	if len(candidates) > shown {
		return fmt.Sprintf("There are %d, among them %s.", len(candidates), strings.Join(candidates[:shown], ", "))
	}
	return fmt.Sprintf("Choose from %s.", strings.Join(candidates, ", "))
}
