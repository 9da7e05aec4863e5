// Package quantity reads and writes amounts with units: bytes, bandwidth, time,
// compute and percentages.
//
// Reading is exact (no rounding before the last step) and strict: decimal and
// binary units are kept apart, a number without a unit is an error, and the
// error says what to write instead. Writing is for people: three significant
// digits.
package quantity

import (
	"fmt"
	"math/big"
	"strings"
)

// maxLength bounds the text of an amount, in bytes.
const maxLength = 64

// Error is a text that is no amount of the wanted kind.
type Error struct {
	Input   string // as given
	Problem string // "has no unit"
	Fix     string // `write "512MiB" or "512MB"`
}

// Error joins what was given, what is wrong with it, and what to write.
func (e *Error) Error() string {
	return fmt.Sprintf("%q %s: %s", e.Input, e.Problem, e.Fix)
}

// unit is a name and what one of it is worth, num/den in the kind's base unit.
type unit struct {
	name     string
	num, den int64
	alias    bool // another spelling of a unit
}

// kind is a family of units.
type kind struct {
	name    string // "amount of memory or data"
	units   []unit
	example string // of a whole amount
	// bare proposes whole amounts for a number without a unit.
	bare func(number *big.Rat) []string
	// nearby proposes whole amounts for a unit that is not one of the kind.
	nearby func(number *big.Rat, unit string) []string
}

// parse gives the amount in the kind's base unit.
func (k kind) parse(text string) (*big.Rat, error) {
	number, name, err := k.split(text)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, &Error{text, "has no unit", k.propose(k.bare(number))}
	}
	for _, u := range k.units {
		if u.name == name {
			return number.Mul(number, big.NewRat(u.num, u.den)), nil
		}
	}
	return nil, k.unknownUnit(text, number, name)
}

// split separates the number from the unit.
func (k kind) split(text string) (*big.Rat, string, error) {
	if len(text) > maxLength {
		return nil, "", &Error{text[:maxLength] + "...", "is too long for " + k.article(), k.propose(nil)}
	}
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	digits, name := text[:end], strings.TrimPrefix(text[end:], " ")
	if strings.HasPrefix(name, "-") {
		return nil, "", &Error{text, "is negative", k.propose(nil)}
	}
	if digits == "" || strings.HasPrefix(digits, ".") || strings.HasSuffix(digits, ".") || strings.Count(digits, ".") > 1 {
		return nil, "", &Error{text, "is not " + k.article(), k.propose(nil)}
	}
	number, ok := new(big.Rat).SetString(digits)
	if !ok {
		return nil, "", &Error{text, "is not " + k.article(), k.propose(nil)}
	}
	return number, name, nil
}

func (k kind) article() string {
	if strings.ContainsRune("aeiou", rune(k.name[0])) {
		return "an " + k.name
	}
	return "a " + k.name
}

func (k kind) unknownUnit(text string, number *big.Rat, name string) error {
	problem := fmt.Sprintf("has the unknown unit %q", name)
	if proposals := k.nearby(number, name); len(proposals) > 0 {
		return &Error{text, problem, k.propose(proposals)}
	}
	var names []string
	for _, u := range k.units {
		if !u.alias {
			names = append(names, u.name)
		}
	}
	return &Error{text, problem, fmt.Sprintf("the units of %s are %s, as in %q", k.article(), strings.Join(names, ", "), k.example)}
}

// propose is the fix: one of some amounts, or the example of the kind.
func (k kind) propose(amounts []string) string {
	if len(amounts) == 0 {
		return fmt.Sprintf("write a number and a unit, as %q", k.example)
	}
	quoted := make([]string, len(amounts))
	for i, a := range amounts {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	return "write " + strings.Join(quoted, " or ")
}

// attach writes the number with each of the units.
func attach(number *big.Rat, units []string) []string {
	amounts := make([]string, len(units))
	for i, u := range units {
		amounts[i] = decimal(number) + u
	}
	return amounts
}

// decimal is a number that was read from decimal digits, as such digits again.
func decimal(r *big.Rat) string {
	places, exact := r.FloatPrec()
	if !exact {
		places = 9
	}
	return r.FloatString(places)
}

// withUnits proposes a bare number with each of the units.
func withUnits(units ...string) func(*big.Rat) []string {
	return func(number *big.Rat) []string { return attach(number, units) }
}

// prefixed proposes the unit whose first letter, in any case, is that of the
// one given, for units that are a prefix and the same stem.
func prefixed(unit, stem string) string {
	first := strings.ToUpper(unit[:1])
	if first == "K" && stem == "bps" {
		first = "k"
	}
	if !strings.Contains("kKMGTP", first) {
		return stem
	}
	return first + stem
}

// float is the nearest float64; maxLength keeps it far from the largest.
func (k kind) float(text string) (float64, error) {
	r, err := k.parse(text)
	if err != nil {
		return 0, err
	}
	f, _ := r.Float64()
	return f, nil
}
