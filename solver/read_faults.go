package solver

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/agext/levenshtein"
)

// malform adds a fault that leaves something unread.
func (f *faults) malform(path, format string, args ...any) *FieldError {
	f.malformed = true
	f.add(path, format, args...)
	return f.all[len(f.all)-1].(*FieldError)
}

// addValidated adds what Validate finds in a problem that was read: all of it,
// but for values that could not be read. Of a malformed one it would say too much.
func (f *faults) addValidated(p *Problem) {
	if f.malformed {
		return
	}
	unread := map[string]bool{}
	for _, err := range f.all {
		unread[err.(*FieldError).Path] = true
	}
	var joined interface{ Unwrap() []error }
	if errors.As(p.Validate(), &joined) {
		for _, err := range joined.Unwrap() {
			if fault, ok := err.(*FieldError); ok && !unread[fault.Path] {
				f.all = append(f.all, err)
			}
		}
	}
}

// meant proposes the known field that an unknown one is most like, or names all.
func meant(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := levenshtein.Distance(plain(name), plain(k), nil); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "the fields here are " + strings.Join(known, ", ")
}

// plain is a name without regard to case and to how its words are joined.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// unprintable says whether a string could steer a terminal.
func unprintable(v any) bool {
	s, ok := v.(string)
	return ok && strings.ContainsFunc(s, unicode.IsControl)
}
