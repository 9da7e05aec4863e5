package quantity

import (
	"math/big"
	"strings"
)

// bandwidthKind has bytes per second as base: 1 byte is 8 bits.
func bandwidthKind() kind {
	return kind{
		name: "bandwidth",
		units: []unit{
			{name: "bps", num: 1, den: 8}, {name: "kbps", num: 1e3, den: 8}, {name: "Mbps", num: 1e6, den: 8}, {name: "Gbps", num: 1e9, den: 8}, {name: "Tbps", num: 1e12, den: 8},
		},
		example: "94Mbps",
		bare:    withUnits("Mbps"),
		nearby:  nearbyBandwidth,
	}
}

// nearbyBandwidth proposes bits per second; an upper-case B may mean bytes, so
// that the amount in bits is proposed as well.
func nearbyBandwidth(number *big.Rat, unit string) []string {
	if !strings.ContainsAny(unit[:1], "bBkKmMgGtT") {
		return nil
	}
	stem := unit
	if !strings.ContainsAny(unit[:1], "bB") {
		stem = unit[1:]
	}
	bits := prefixed(unit, "bps")
	asBytes := new(big.Rat).Mul(number, big.NewRat(8, 1))
	switch strings.ToLower(stem) {
	case "", "bit", "bits", "bit/s", "bits/s", "b/s", "bps", "b":
		proposals := attach(number, []string{bits})
		if strings.Contains(stem, "B") {
			proposals = append(proposals, attach(asBytes, []string{bits})...)
		}
		return proposals
	case "ib/s", "ibit", "ibit/s", "ibps":
		return attach(number, []string{bits})
	case "byte/s", "bytes/s", "byteps":
		return attach(asBytes, []string{bits})
	}
	return nil
}

// ParseBandwidth reads a rate such as "94Mbps" or "1Gbps" (decimal bits per
// second) and gives bytes per second.
func ParseBandwidth(text string) (float64, error) { return bandwidthKind().float(text) }

// FormatBandwidth writes bytes per second as bits per second: "94 Mbps".
func FormatBandwidth(bytesPerSecond float64) string {
	return scaled(bytesPerSecond*8, 1000, []string{"bps", "kbps", "Mbps", "Gbps", "Tbps"})
}

func computeKind() kind {
	return kind{
		name: "compute rate",
		units: []unit{
			{name: "FLOPS", num: 1, den: 1}, {name: "kFLOPS", num: 1e3, den: 1}, {name: "MFLOPS", num: 1e6, den: 1}, {name: "GFLOPS", num: 1e9, den: 1}, {name: "TFLOPS", num: 1e12, den: 1}, {name: "PFLOPS", num: 1e15, den: 1},
		},
		example: "9GFLOPS",
		bare:    withUnits("GFLOPS"),
		nearby:  nearbyCompute,
	}
}

func nearbyCompute(number *big.Rat, unit string) []string {
	if !strings.ContainsAny(unit[:1], "fFkKmMgGtTpP") {
		return nil
	}
	stem := unit
	if !strings.ContainsAny(unit[:1], "fF") {
		stem = unit[1:]
	}
	switch strings.ToLower(stem) {
	case "", "flop", "flops", "flop/s", "flops/s", "f":
		name := prefixed(unit, "FLOPS")
		if name == "KFLOPS" {
			name = "kFLOPS"
		}
		return attach(number, []string{name})
	}
	return nil
}

// ParseCompute reads a sustained rate such as "9GFLOPS" and gives operations per
// second: one multiply or one add is one operation.
func ParseCompute(text string) (float64, error) { return computeKind().float(text) }

// FormatFLOPS writes operations per second: "9 GFLOPS".
func FormatFLOPS(perSecond float64) string {
	return scaled(perSecond, 1000, []string{"FLOPS", "kFLOPS", "MFLOPS", "GFLOPS", "TFLOPS", "PFLOPS"})
}

// FormatFLOP writes a count of operations: "1.2 GFLOP".
func FormatFLOP(n int64) string {
	return scaled(float64(n), 1000, []string{"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"})
}
