package quantity

import (
	"math/big"
	"strings"
	"time"
)

func durationKind() kind {
	return kind{
		name: "duration",
		units: []unit{
			{name: "ns", num: 1, den: 1}, {name: "us", num: 1e3, den: 1}, {name: "ms", num: 1e6, den: 1}, {name: "s", num: 1e9, den: 1}, {name: "m", num: 60e9, den: 1}, {name: "h", num: 3600e9, den: 1},
			{name: "µs", num: 1e3, den: 1, alias: true}, {name: "μs", num: 1e3, den: 1, alias: true}, // micro sign, Greek mu
		},
		example: "2ms",
		bare:    withUnits("ms", "s"),
		nearby:  nearbyDuration,
	}
}

func nearbyDuration(number *big.Rat, unit string) []string {
	switch strings.ToLower(unit) {
	case "ns", "nsec", "nanosecond", "nanoseconds":
		return attach(number, []string{"ns"})
	case "us", "usec", "microsecond", "microseconds":
		return attach(number, []string{"us"})
	case "ms", "msec", "millis", "millisecond", "milliseconds":
		return attach(number, []string{"ms"})
	case "s", "sec", "secs", "second", "seconds":
		return attach(number, []string{"s"})
	case "m", "min", "mins", "minute", "minutes":
		return attach(number, []string{"m"})
	case "h", "hr", "hrs", "hour", "hours":
		return attach(number, []string{"h"})
	}
	return nil
}

// ParseDuration reads a time such as "2ms" or "1.5s". It must be a whole number
// of nanoseconds.
func ParseDuration(text string) (time.Duration, error) {
	r, err := durationKind().parse(text)
	if err != nil {
		return 0, err
	}
	if !r.IsInt() {
		return 0, &Error{text, "is not a whole number of nanoseconds", "write a time with fewer digits after the point"}
	}
	if !r.Num().IsInt64() {
		return 0, &Error{text, "is more than 292 years, the longest time", "write a shorter time"}
	}
	return time.Duration(r.Num().Int64()), nil
}

// FormatSeconds writes seconds as "12.3 ms", "1.5 s" or "90 s".
func FormatSeconds(seconds float64) string {
	if seconds >= 1 || seconds <= -1 {
		return FormatNumber(seconds) + " s"
	}
	return scaled(seconds*1e9, 1000, []string{"ns", "us", "ms", "s"})
}

// FormatDuration writes a duration as FormatSeconds does.
func FormatDuration(d time.Duration) string { return FormatSeconds(d.Seconds()) }
