package main

import (
	"math"
	"testing"
)

func TestEstimate(t *testing.T) {
	// t(0.975; 4) = 2.776; the deviation is sqrt(2.5).
	e := estimateOf([]float64{1, 2, 3, 4, 5})
	if want := 2.776445 * math.Sqrt(2.5/5); e.mean != 3 || math.Abs(e.half-want) > 1e-5 {
		t.Errorf("%+v, want 3 ± %v", e, want)
	}
	if got := e.String(); got != "3.0 ± 2.0" {
		t.Error(got)
	}
	if !e.holds(4.9) || e.holds(5.1) || !e.agrees(5.7) || e.agrees(5.8) {
		t.Error("the interval is wrong")
	}
	for _, c := range []struct {
		sample []float64
		want   string
	}{
		{nil, "-"}, {[]float64{0.5}, "0.5"}, {[]float64{1, 1, 1}, "1"}, {[]float64{100, 300}, "200 ± 1271"},
	} {
		if got := estimateOf(c.sample).String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.sample, got, c.want)
		}
	}
}

// Rows share networks, so two rows on one network are one value; failures are left
// out, on both sides of a ratio.
func TestMeansAreOverNetworks(t *testing.T) {
	at := func(model string, trial int, greedy, random float64) *instance {
		in := &instance{place: place{model, 64, 5, trial}}
		in.greedy, in.random = outcome{seconds: greedy}, outcome{seconds: random}
		if greedy == 0 {
			in.greedy = outcome{failure: memoryError}
		}
		return in
	}
	s := selection{at("a", 0, 1, 10), at("a", 1, 2, 10), at("b", 0, 3, 30), at("b", 1, 0, 1000)}
	if e := s.mean(times(greedy)); e.mean != 2 || e.n != 2 || e.half != 0 {
		t.Errorf("mean of greedy: %+v", e)
	}
	if e := s.mean(times(random).over(times(greedy))); e.mean != 7.5 || e.n != 2 {
		t.Errorf("mean ratio: %+v", e)
	}
	if e := s.meanOfSums(times(random), times(greedy)); e.mean != 7.5 {
		t.Errorf("mean ratio of sums: %+v", e)
	}
}

// The published means say of themselves what the report says of them.
func TestPublishedFigures(t *testing.T) {
	r := newReport(nil, nil)
	for _, row := range rowsWithTransfers() {
		r.rows = append(r.rows, rowName{row.chain.Model, row.mib})
	}
	if len(r.rows) != len(published) {
		t.Fatalf("%d rows, the paper prints %d", len(r.rows), len(published))
	}
	k, j, x := r.publishedSums()
	if math.Abs(1-j/k-0.036) > 0.0005 || math.Abs(x/k-7.9) > 0.05 {
		t.Errorf("greedy is %.3f better than k-path, random %.2f times worse", 1-j/k, x/k)
	}
}
