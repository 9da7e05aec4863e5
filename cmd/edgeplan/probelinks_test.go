package main

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// What a device's workers count beside a test is added to what the test got through, and
// refused where no link carries it; a counter that went back is of a worker started again.
func TestCountedBesideATest(t *testing.T) {
	d := direction{"node.a", "node.b"}
	tests := map[string]struct {
		before, after float64
		known         bool
		added         bool
		refused       bool
	}{
		"nothing sent":        {before: 5e6, after: 5e6, known: true},
		"some":                {before: 5e6, after: 6e6, known: true, added: true},
		"not known":           {before: 5e6, after: 6e6},
		"started again":       {before: 5e6, after: 1e3, known: true},
		"more than any link":  {before: 0, after: 1e300, known: true, refused: true},
		"endless":             {before: 0, after: math.Inf(1), known: true, refused: true},
		"endless before":      {before: math.Inf(-1), after: 0, known: true, refused: true},
		"endless all along":   {before: math.Inf(1), after: math.Inf(1), known: true, refused: true},
		"no number":           {before: 0, after: math.NaN(), known: true, refused: true},
		"no number any more":  {before: math.NaN(), after: 1e6, known: true, refused: true},
		"endless, and back":   {before: math.Inf(1), after: 1e6, known: true},
		"below nothing, less": {before: 0, after: math.Inf(-1), known: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			count := test.before
			p := &probing{sent: func(context.Context, direction) (float64, bool) { return count, test.known }}
			beside := p.beside(t.Context(), d)
			time.Sleep(10 * time.Millisecond) // of a test
			count = test.after
			tested := probe.LinkResult{BytesPerSecond: 1e6, Spread: 0.01, RoundTripSeconds: 1e-3, Bytes: 1e6, Seconds: 1}
			got, err := addBeside(tested, d, beside(t.Context()))
			if test.refused {
				if err == nil || !strings.Contains(err.Error(), "node.a -> node.b is not measured: node.a counts ") {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || (got.BytesPerSecond > 1e6) != test.added || got.BytesPerSecond < 1e6 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
