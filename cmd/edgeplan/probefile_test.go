package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
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
	p := &probing{cli: &cli{dir: t.TempDir()}, measured: &measurement.Measurements{}, results: &measurement.Measurements{}}
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

// Each result is in the file when it has been recorded, however many come at once, and nothing
// of the file as it was is lost.
func TestRecordManyAtOnce(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	profile := measurement.Profile{Node: "node.0", Model: "m", Digest: strings.Repeat("a", 64), Optimization: "all", Seconds: 1, MeasuredAt: at}
	p := &probing{cli: &cli{dir: t.TempDir()}, measured: &measurement.Measurements{Profiles: []measurement.Profile{profile}}, results: &measurement.Measurements{}}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			l := measurement.Link{From: "node.0", To: fmt.Sprintf("node.%d", i+1), BandwidthBytesPerSecond: float64(i), MeasuredAt: at}
			if err := p.recordLink(l); err != nil {
				t.Error(err)
			}
			got, err := measurement.Read(p.dir)
			if err != nil || !slices.Contains(got.Links, l) {
				t.Errorf("%+v is not in the file: %v", l, err)
			}
		})
	}
	again := profile
	again.Digest = strings.Repeat("b", 64)
	if err := p.recordProfile(again); err != nil {
		t.Error(err)
	}
	all.Wait()
	got, err := measurement.Read(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Links) != 50 || len(got.Profiles) != 1 || got.Profiles[0] != again {
		t.Errorf("the file has %d links and %+v", len(got.Links), got.Profiles)
	}
}

// What somebody puts into the file while a probe runs stays there, and a file that is damaged by
// that is not overwritten.
func TestRecordBesideAnEdit(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	link := func(to string, rate float64) measurement.Link {
		return measurement.Link{From: "a", To: to, BandwidthBytesPerSecond: rate, MeasuredAt: at}
	}
	p := &probing{cli: &cli{dir: t.TempDir()}, results: &measurement.Measurements{}}
	if err := measurement.Write(p.dir, &measurement.Measurements{Links: []measurement.Link{link("b", 1), link("c", 1), link("d", 1)}}); err != nil {
		t.Fatal(err)
	}
	if err := p.readMeasured(); err != nil {
		t.Fatal(err)
	}
	if err := p.recordLink(link("b", 2)); err != nil {
		t.Fatal(err)
	}
	edited := &measurement.Measurements{Links: []measurement.Link{link("b", 3), link("c", 3)}}
	if err := measurement.Write(p.dir, edited); err != nil {
		t.Fatal(err)
	}
	if err := p.recordLink(link("e", 4)); err != nil {
		t.Fatal(err)
	}
	got, err := measurement.Read(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]measurement.Link{link("b", 2), link("c", 3), link("e", 4)}, got.Links); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	const merge = "<<<<<<< HEAD\n"
	if err := os.WriteFile(p.measurementsPath(), []byte(merge), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.recordLink(link("f", 5)); err == nil || !strings.Contains(err.Error(), "changed the file meanwhile") {
		t.Errorf("in the middle of a merge: %v", err)
	}
	if content, err := os.ReadFile(p.measurementsPath()); err != nil || string(content) != merge {
		t.Errorf("the file is %q now, %v", content, err)
	}
}

// BenchmarkRecord records the links of a hundred devices in rounds of fifty pairs.
func BenchmarkRecord(b *testing.B) {
	for b.Loop() {
		p := &probing{cli: &cli{dir: b.TempDir()}, measured: &measurement.Measurements{}, results: &measurement.Measurements{}}
		for round := range 99 {
			var tests sync.WaitGroup
			for pair := range 50 {
				tests.Go(func() {
					from, to := fmt.Sprintf("node.pi[%d]", 2*pair), fmt.Sprintf("node.pi[%d]", (2*pair+round+1)%100)
					for _, ends := range [][2]string{{from, to}, {to, from}} {
						if ends[0] != ends[1] {
							_ = p.recordLink(measurement.Link{From: ends[0], To: ends[1], BandwidthBytesPerSecond: 1e6, MeasuredAt: time.Unix(1e9, 0)})
						}
					}
				})
			}
			tests.Wait()
		}
	}
}
