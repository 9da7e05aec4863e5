package tensor

import (
	"testing"

	"github.com/x448/float16"
)

// Every binary16 in [-1, 1] is cut to itself, and what lies a little further from
// zero too.
func TestToFloat16(t *testing.T) {
	const one, sign = 0x3c00, 0x8000
	for bits := range uint16(one) {
		x, next := float64(float16.Frombits(bits).Float32()), float64(float16.Frombits(bits+1).Float32())
		for _, between := range []float64{x, x + (next-x)/3, x + (next-x)*0.999} {
			if got := toFloat16(between); got != bits {
				t.Fatalf("%g is cut to %#04x, want %#04x", between, got, bits)
			}
			if got := toFloat16(-between); bits > 0 && got != bits|sign {
				t.Fatalf("%g is cut to %#04x, want %#04x", -between, got, bits|sign)
			}
		}
	}
	if got := toFloat16(-1); got != one|sign {
		t.Errorf("-1 is cut to %#04x", got)
	}
}
