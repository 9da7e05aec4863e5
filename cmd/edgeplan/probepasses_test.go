package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/onnx"
)

// passesBed is a probe of a model of four segments, which may be cut anywhere, on one node.
type passesBed struct {
	*probing
	model *config.Model
}

func newPassesBed(t *testing.T, again bool) passesBed {
	t.Helper()
	chain := &onnx.Chain{Digest: strings.Repeat("a", 64), Segments: make([]onnx.Segment, 4), Cuts: make([]onnx.Cut, 5)}
	for i := range chain.Cuts {
		chain.Cuts[i].Position = i
	}
	model := &config.Model{Name: "m", Optimization: "extended"}
	return passesBed{model: model, probing: &probing{cli: &cli{dir: t.TempDir()}, flags: probeFlags{again: again, maxAge: time.Hour},
		config: &config.Config{Models: []*config.Model{model}}, chains: map[string]*onnx.Chain{"m": chain},
		measured: &measurement.Measurements{}, results: &measurement.Measurements{}}}
}

func (p passesBed) timing(first, last int) timing {
	return timing{"node.a", p.model, segmentRange{first, last}}
}

// knows has the file know a range.
func (p passesBed) knows(t timing, passes int, age time.Duration) measurement.Profile {
	m := p.profileOf(t)
	m.Passes, m.Seconds, m.MeasuredAt = passes, 1, p.now().Add(-age)
	p.measured = measurement.Merge(p.measured, &measurement.Measurements{Profiles: []measurement.Profile{m}})
	return m
}

// Each range is run as often as it would have been without an interrupt: what is known of it and
// new is a pass, also where an earlier version measured it. What fails is not tried again.
func TestPassesGoOnAfterAnInterrupt(t *testing.T) {
	p := newPassesBed(t, false)
	known, old, stale, fails := p.timing(0, 3), p.timing(0, 1), p.timing(2, 3), p.timing(1, 2)
	p.knows(known, 1, time.Minute)
	p.knows(old, 0, time.Minute)
	p.knows(stale, 1, 2*time.Hour)
	list := []timing{known, old, stale, fails}
	passes := newPasses(p.probing, list)
	for pass, want := range []struct {
		due   []timing
		later int
	}{{[]timing{stale, fails}, 4}, {[]timing{known, old, stale}, 0}, {nil, 0}} {
		due := passes.due(list, pass)
		if later := passes.later(list, pass); !slices.Equal(due, want.due) || later != want.later {
			t.Errorf("pass %d: %v is due and %d runs later, want %+v", pass, due, later, want)
		}
		for _, t := range due {
			if t != fails {
				passes[t.model].Add(t.first, t.last, probe.RangeResult{Seconds: 1})
			}
		}
	}
	if passes.untimed(fails) != "not timed" || passes.untimed(known) != "not timed again" {
		t.Errorf("%q, %q", passes.untimed(fails), passes.untimed(known))
	}
}

// With -again nothing counts that was known before.
func TestPassesAgain(t *testing.T) {
	p := newPassesBed(t, true)
	known := p.timing(0, 3)
	p.knows(known, 3, 0)
	if due := newPasses(p.probing, []timing{known}).due([]timing{known}, 0); len(due) != 1 {
		t.Error("it is left out")
	}
}

// Where passes differ, all are run.
func TestPassesThatDiffer(t *testing.T) {
	p := newPassesBed(t, false)
	list := []timing{p.timing(0, 3)}
	passes := newPasses(p.probing, list)
	for pass := range mostPasses {
		if len(passes.due(list, pass)) != 1 {
			t.Fatalf("it is not due in pass %d", pass)
		}
		passes[p.model].Add(0, 3, probe.RangeResult{Seconds: float64(1 + pass%2)})
	}
}

// A range that takes no time is written with the least that there is, which does not differ by
// all of it from nothing.
func TestPassesOfNothingGoOn(t *testing.T) {
	p := newPassesBed(t, false)
	idle := p.timing(0, 0)
	m := p.knows(idle, 1, 0)
	m.Seconds = leastSeconds
	p.measured = &measurement.Measurements{Profiles: []measurement.Profile{m}}
	passes := newPasses(p.probing, []timing{idle})[p.model]
	passes.Add(0, 0, probe.RangeResult{})
	if got, want := passes.Deviation(), new(probe.Passes).Deviation(); got != want {
		t.Errorf("passes differ by %g, want %g", got, want)
	}
}

// What passes differ by is known at the end, and written so for all ranges, also for those that had
// their last pass before the others.
func TestSettlePasses(t *testing.T) {
	p := newPassesBed(t, false)
	list := []timing{p.timing(0, 1), p.timing(2, 3), p.timing(0, 3)}
	passes := newPasses(p.probing, list)
	for _, seconds := range []float64{1, 1.05} {
		for _, timed := range list[:2] {
			passes[p.model].Add(timed.first, timed.last, probe.RangeResult{Seconds: seconds})
			if err := p.recordProfile(p.profileAfter(timed, passes[p.model])); err != nil {
				t.Fatal(err)
			}
			seconds = 1
		}
	}
	if err := p.settle(list, passes); err != nil {
		t.Fatal(err)
	}
	got, err := measurement.Read(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	var spreads []float64
	for _, m := range got.Profiles {
		spreads = append(spreads, m.Spread)
	}
	want := passes[p.model].Result(0, 1).Spread
	if diff := cmp.Diff([]float64{want, want}, spreads); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A range of a plan that an interrupt has left with one pass is timed again, and one that is
// whole, or of no plan, is not looked for.
func TestUnplanned(t *testing.T) {
	for name, test := range map[string]struct {
		passes int
		want   bool
	}{"none": {-1, true}, "an earlier version": {0, true}, "interrupted": {1, true}, "whole": {2, false}} {
		p := newPassesBed(t, false)
		p.knows(p.timing(0, 3), 1, 0) // every run times it
		if test.passes >= 0 {
			p.knows(p.timing(1, 2), test.passes, 0)
		}
		if got := p.unplanned(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// With -again a range is timed in one part of a run, and not once more with those of the plan.
func TestTimedOnceInARun(t *testing.T) {
	p := newPassesBed(t, true)
	m := p.knows(p.timing(0, 3), 2, 0)
	if p.freshTiming(p.timing(0, 3)) {
		t.Error("what was known before stands for -again")
	}
	p.results = &measurement.Measurements{Profiles: []measurement.Profile{m}}
	if !p.freshTiming(p.timing(0, 3)) {
		t.Error("it is timed once more")
	}
}

// What is told in every pass is shown once.
func TestWarnOnce(t *testing.T) {
	p := newPassesBed(t, false)
	for range 2 {
		p.warn("%s was not timed as a stage", "it")
		p.warn("another")
	}
	if diff := cmp.Diff([]string{"it was not timed as a stage", "another"}, p.warnings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
