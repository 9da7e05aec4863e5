package config

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/suggest"
)

func nearest(given string, candidates []string) string { return suggest.Nearest(given, candidates) }

// didYouMean is a sentence that ends an error about an unknown name.
func didYouMean(given string, candidates []string, what string) string {
	if len(candidates) == 0 {
		return fmt.Sprintf("There is no %s; declare one.", what)
	}
	return suggest.Sentence(given, candidates, what)
}
