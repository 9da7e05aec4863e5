package quantity

import (
	"math/big"
	"strings"
)

func percentKind() kind {
	return kind{
		name:    "percentage",
		units:   []unit{{name: "%", num: 1, den: 100}},
		example: "5%",
		bare:    bareShare,
		nearby: func(number *big.Rat, unit string) []string {
			if strings.HasPrefix(strings.ToLower(unit), "p") {
				return attach(number, []string{"%"})
			}
			return nil
		},
	}
}

// bareShare takes a bare number below 1 for a share of the whole: 0.05 is 5%.
func bareShare(number *big.Rat) []string {
	if number.Cmp(big.NewRat(1, 1)) < 0 {
		number = new(big.Rat).Mul(number, big.NewRat(100, 1))
	}
	return attach(number, []string{"%"})
}

// ParsePercent reads a percentage such as "5%" and gives the share, 0.05.
func ParsePercent(text string) (float64, error) { return percentKind().float(text) }

// FormatPercent writes the share 0.05 as "5%".
func FormatPercent(share float64) string { return FormatNumber(share*100) + "%" }
