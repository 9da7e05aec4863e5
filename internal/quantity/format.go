package quantity

import (
	"math"
	"strconv"
	"strings"
)

// significant digits of an amount for people.
const significant = 3

// FormatNumber writes a plain number with three significant digits and no
// exponent: "12.3", "1234", "0.00123". Numbers of 1000 and more are whole.
func FormatNumber(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', significant-1, 64), 64)
	if err != nil || rounded == 0 {
		return "0"
	}
	if math.Abs(rounded) >= 1000 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	places := max(0, significant-1-int(math.Floor(math.Log10(math.Abs(rounded)))))
	text := strconv.FormatFloat(rounded, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// scaled writes x with the largest unit that leaves at least one of it; each
// unit is step times the one before.
func scaled(x, step float64, units []string) string {
	i := 0
	for i < len(units)-1 && reaches(x, step) {
		x /= step
		i++
	}
	return FormatNumber(x) + " " + units[i]
}

// reaches says whether x, as it would be printed, is one step or more, so that
// 999.9 ms becomes 1 s.
func reaches(x, step float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	return math.Abs(x) >= step || math.Abs(x) > 999 && math.Round(math.Abs(x)) >= step
}
