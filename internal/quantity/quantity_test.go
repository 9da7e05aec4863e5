package quantity

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "7B": 7, "512MiB": 512 << 20, "512 MiB": 512 << 20, "512MB": 512e6, "1.5GB": 15e8, "1.5GiB": 3 << 29,
		"1kB": 1000, "1KB": 1000, "1KiB": 1024, "0.5KiB": 512, "1TB": 1e12, "2PiB": 2 << 50,
		"0.000000001GB": 1, "7.999999999999999999132638262011596452794037759304046630859375EiB": -1,
		"9223372036854775807B": math.MaxInt64,
	} {
		got, err := ParseBytes(text)
		if want < 0 {
			if err == nil {
				t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestParseRates(t *testing.T) {
	for text, want := range map[string]float64{
		"94Mbps": 11.75e6, "1Gbps": 125e6, "800kbps": 100e3, "8bps": 1, "0.5Tbps": 62.5e9, "40 Mbps": 5e6,
	} {
		if got, err := ParseBandwidth(text); err != nil || got != want {
			t.Errorf("ParseBandwidth(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]float64{
		"9GFLOPS": 9e9, "1.5TFLOPS": 1.5e12, "500MFLOPS": 500e6, "1FLOPS": 1, "3kFLOPS": 3e3, "0.1PFLOPS": 1e14,
	} {
		if got, err := ParseCompute(text); err != nil || got != want {
			t.Errorf("ParseCompute(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]float64{"5%": 0.05, "0.1%": 0.001, "100 %": 1, "250%": 2.5} {
		if got, err := ParsePercent(text); err != nil || got != want {
			t.Errorf("ParsePercent(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2ms": 2 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "10us": 10 * time.Microsecond, "10µs": 10 * time.Microsecond,
		"1m": time.Minute, "2h": 2 * time.Hour, "3ns": 3, "0s": 0,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

// TestErrors holds the whole text of errors: what, why, and what to write.
func TestErrors(t *testing.T) {
	parseBytes := func(s string) error { _, err := ParseBytes(s); return err }
	bandwidth := func(s string) error { _, err := ParseBandwidth(s); return err }
	duration := func(s string) error { _, err := ParseDuration(s); return err }
	compute := func(s string) error { _, err := ParseCompute(s); return err }
	percent := func(s string) error { _, err := ParsePercent(s); return err }
	tests := []struct {
		parse func(string) error
		text  string
		want  string
	}{
		{parseBytes, "512", `"512" has no unit: write "512MiB" or "512MB"`},
		{parseBytes, "1.5", `"1.5" has no unit: write "1.5MiB" or "1.5MB"`},
		{parseBytes, "512mb", `"512mb" has the unknown unit "mb": write "512MiB" or "512MB"`},
		{parseBytes, "512M", `"512M" has the unknown unit "M": write "512MiB" or "512MB"`},
		{parseBytes, "512mib", `"512mib" has the unknown unit "mib": write "512MiB"`},
		{parseBytes, "64k", `"64k" has the unknown unit "k": write "64KiB" or "64kB"`},
		{parseBytes, "7 bytes", `"7 bytes" has the unknown unit "bytes": write "7B"`},
		{parseBytes, "0.5B", `"0.5B" is not a whole number of bytes: write a size with fewer digits after the point`},
		{parseBytes, "9223372036854775808B", `"9223372036854775808B" is more than 8 EiB, the largest size: write a smaller size`},
		{parseBytes, "-1MB", `"-1MB" is negative: write a number and a unit, as "512MiB"`},
		{parseBytes, "NaN", `"NaN" is not a memory size: write a number and a unit, as "512MiB"`},
		{parseBytes, "", `"" is not a memory size: write a number and a unit, as "512MiB"`},
		{parseBytes, "MiB", `"MiB" is not a memory size: write a number and a unit, as "512MiB"`},
		{parseBytes, "1.2.3MB", `"1.2.3MB" is not a memory size: write a number and a unit, as "512MiB"`},
		{parseBytes, "5 parsecs", `"5 parsecs" has the unknown unit "parsecs": the units of a memory size are B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB, as in "512MiB"`},
		{parseBytes, "1e3MB", `"1e3MB" has the unknown unit "e3MB": the units of a memory size are B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB, as in "512MiB"`},
		{parseBytes, strings.Repeat("9", 100) + "B", `"` + strings.Repeat("9", 64) + `..." is too long for a memory size: write a number and a unit, as "512MiB"`},
		{bandwidth, "94", `"94" has no unit: write "94Mbps"`},
		{bandwidth, "94mbit", `"94mbit" has the unknown unit "mbit": write "94Mbps"`},
		{bandwidth, "94Mbit/s", `"94Mbit/s" has the unknown unit "Mbit/s": write "94Mbps"`},
		{bandwidth, "12MB/s", `"12MB/s" has the unknown unit "MB/s": write "12Mbps" or "96Mbps"`},
		{bandwidth, "800Kbps", `"800Kbps" has the unknown unit "Kbps": write "800kbps"`},
		{bandwidth, "12 bytes/s", `"12 bytes/s" has the unknown unit "bytes/s": write "96bps"`},
		{duration, "2", `"2" has no unit: write "2ms" or "2s"`},
		{duration, "2sec", `"2sec" has the unknown unit "sec": write "2s"`},
		{duration, "0.5ns", `"0.5ns" is not a whole number of nanoseconds: write a time with fewer digits after the point`},
		{duration, "9999999h", `"9999999h" is more than 292 years, the longest time: write a shorter time`},
		{compute, "9", `"9" has no unit: write "9GFLOPS"`},
		{compute, "9gflops", `"9gflops" has the unknown unit "gflops": write "9GFLOPS"`},
		{compute, "9GFlop/s", `"9GFlop/s" has the unknown unit "GFlop/s": write "9GFLOPS"`},
		{compute, "9T", `"9T" has the unknown unit "T": write "9TFLOPS"`},
		{compute, "9k", `"9k" has the unknown unit "k": write "9kFLOPS"`},
		{percent, "5", `"5" has no unit: write "5%"`},
		{percent, "0.05", `"0.05" has no unit: write "5%"`},
		{percent, "5 percent", `"5 percent" has the unknown unit "percent": write "5%"`},
	}
	for _, test := range tests {
		err := test.parse(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: the error is a %T", test.text, err)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{FormatBytes(0), "0 B"},
		{FormatBytes(1023), "1023 B"},
		{FormatBytes(1024), "1 KiB"},
		{FormatBytes(1258291), "1.2 MiB"},
		{FormatBytes(512 << 20), "512 MiB"},
		{FormatBytes(1<<20 - 1), "1 MiB"},
		{FormatBytes(1000 << 20), "1000 MiB"},
		{FormatBytes(-2048), "-2 KiB"},
		{FormatBytes(math.MaxInt64), "8 EiB"},
		{FormatBandwidth(11.75e6), "94 Mbps"},
		{FormatBandwidth(125e6), "1 Gbps"},
		{FormatBandwidth(0), "0 bps"},
		{FormatSeconds(0.0123), "12.3 ms"},
		{FormatSeconds(0.9999), "1 s"},
		{FormatSeconds(90), "90 s"},
		{FormatSeconds(1.5), "1.5 s"},
		{FormatSeconds(10e-6), "10 us"},
		{FormatSeconds(0), "0 ns"},
		{FormatSeconds(math.Inf(1)), "+Inf s"},
		{FormatDuration(2 * time.Millisecond), "2 ms"},
		{FormatFLOPS(9e9), "9 GFLOPS"},
		{FormatFLOP(1234567890), "1.23 GFLOP"},
		{FormatPercent(0.05), "5%"},
		{FormatNumber(0), "0"},
		{FormatNumber(12.345), "12.3"},
		{FormatNumber(1234.5), "1234"},
		{FormatNumber(0.0012345), "0.00123"},
		{FormatNumber(999.96), "1000"},
		{FormatNumber(math.NaN()), "NaN"},
		{ExactBytes(0), "0B"},
		{ExactBytes(1 << 30), "1GiB"},
		{ExactBytes(1<<30 + 1), "1073741825B"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// TestExactRoundTrip: what ExactBytes writes, ParseBytes reads.
func TestExactRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, math.MaxInt64).Draw(t, "n") &^ (1<<rapid.IntRange(0, 50).Draw(t, "zeros") - 1)
		if got, err := ParseBytes(ExactBytes(n)); err != nil || got != n {
			t.Fatalf("%d is %s, which is read as %d, %v", n, ExactBytes(n), got, err)
		}
	})
}

// TestFormatIsClose: what is written for people is within half a percent.
func TestFormatIsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytesPerSecond := math.Exp(rapid.Float64Range(math.Log(1), math.Log(1e13)).Draw(t, "log"))
		got, err := ParseBandwidth(FormatBandwidth(bytesPerSecond))
		if err != nil || math.Abs(got/bytesPerSecond-1) > 0.005001 {
			t.Fatalf("%v is %q, which is read as %v, %v", bytesPerSecond, FormatBandwidth(bytesPerSecond), got, err)
		}
	})
}

// FuzzParse reads any text as every kind: results are finite and not negative,
// and every proposal of an error can be read.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"512MiB", "94Mbps", "2ms", "9GFLOPS", "5%", "512mb", "94MB/s", "-1", "1e9", "0.5", "1\xc2", "1 µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsers := map[string]func(string) (float64, error){
			"bytes":     func(s string) (float64, error) { n, err := ParseBytes(s); return float64(n), err },
			"bandwidth": ParseBandwidth,
			"duration":  func(s string) (float64, error) { d, err := ParseDuration(s); return float64(d), err },
			"compute":   ParseCompute,
			"percent":   ParsePercent,
		}
		for name, parse := range parsers {
			v, err := parse(text)
			if err == nil && (v < 0 || math.IsInf(v, 0) || math.IsNaN(v)) {
				t.Errorf("%s of %q = %v", name, text, v)
			}
			checkProposals(t, name, err, parse)
		}
	})
}

func checkProposals(t *testing.T, name string, err error, parse func(string) (float64, error)) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Fix, "write \"") {
		return
	}
	var proposal string
	if _, scanErr := fmt.Sscanf(e.Fix, "write %q", &proposal); scanErr != nil {
		t.Errorf("the fix %q has no proposal: %v", e.Fix, scanErr)
	}
	if _, err := parse(proposal); err != nil && strings.Contains(err.Error(), "unit") {
		t.Errorf("%s: the proposal %q is not read: %v", name, proposal, err)
	}
}
