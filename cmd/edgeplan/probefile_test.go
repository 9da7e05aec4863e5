package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// A result that the file may not hold is refused by itself: what comes after it is kept.
func TestRecordAfterAnOddResult(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	link := func(from, to string, spread float64) measurement.Link {
		return measurement.Link{From: from, To: to, BandwidthBytesPerSecond: 1e6, RoundTripSeconds: 1e-3, Spread: spread, MeasuredAt: at}
	}
	p := &probing{cli: &cli{dir: t.TempDir()}, measured: &measurement.Measurements{}}
	if err := p.recordLink(link("node.a", "node.b", 1e5)); err == nil {
		t.Error("a spread of 1e5 was recorded")
	}
	sound := link("node.b", "node.a", 0.05)
	if err := p.recordLink(sound); err != nil {
		t.Fatal(err)
	}
	got, err := measurement.Read(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]measurement.Link{sound}, got.Links); diff != "" {
		t.Error(diff)
	}
}
