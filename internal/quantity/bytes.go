package quantity

import (
	"math/big"
	"strings"
)

func bytesKind() kind {
	return kind{
		name: "memory size",
		units: []unit{
			{name: "B", num: 1, den: 1},
			{name: "kB", num: 1e3, den: 1}, {name: "MB", num: 1e6, den: 1}, {name: "GB", num: 1e9, den: 1}, {name: "TB", num: 1e12, den: 1}, {name: "PB", num: 1e15, den: 1},
			{name: "KiB", num: 1 << 10, den: 1}, {name: "MiB", num: 1 << 20, den: 1}, {name: "GiB", num: 1 << 30, den: 1}, {name: "TiB", num: 1 << 40, den: 1}, {name: "PiB", num: 1 << 50, den: 1},
			{name: "KB", num: 1e3, den: 1, alias: true},
		},
		example: "512MiB",
		bare:    withUnits("MiB", "MB"),
		nearby:  nearbyBytes,
	}
}

// nearbyBytes proposes both the binary and the decimal unit, unless the one
// given already says which it is.
func nearbyBytes(number *big.Rat, unit string) []string {
	lower := strings.ToLower(unit)
	if lower == "b" || lower == "byte" || lower == "bytes" {
		return attach(number, []string{"B"})
	}
	binary, dec := strings.ToUpper(lower[:1])+"iB", strings.ToUpper(lower[:1])+"B"
	if dec == "KB" {
		dec = "kB"
	}
	switch {
	case !strings.Contains("kmgtp", lower[:1]):
		return nil
	case lower[1:] == "ib" || lower[1:] == "i":
		return attach(number, []string{binary})
	case lower[1:] == "b" || lower[1:] == "":
		return attach(number, []string{binary, dec})
	}
	return nil
}

// ParseBytes reads a size such as "512MiB" (binary) or "1.5GB" (decimal), in
// bytes. It must be a whole number of them.
func ParseBytes(text string) (int64, error) {
	r, err := bytesKind().parse(text)
	if err != nil {
		return 0, err
	}
	if !r.IsInt() {
		return 0, &Error{text, "is not a whole number of bytes", "write a size with fewer digits after the point"}
	}
	if !r.Num().IsInt64() {
		return 0, &Error{text, "is more than 8 EiB, the largest size", "write a smaller size"}
	}
	return r.Num().Int64(), nil
}

// FormatBytes writes bytes in binary units, as "1.2 MiB".
func FormatBytes(n int64) string {
	return scaled(float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

// ExactBytes writes n bytes, 0 or more, so that ParseBytes gives n back, with the
// largest binary unit that divides it.
func ExactBytes(n int64) string {
	units := bytesKind().units
	best := units[0]
	for _, u := range units {
		if binary := strings.HasSuffix(u.name, "iB"); binary && n != 0 && n%u.num == 0 {
			best = u
		}
	}
	return big.NewInt(n/best.num).String() + best.name
}
