package main

import (
	"bytes"
	"math"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/watching"
)

// notingWatch watches a folder; what is known is in its file of measurements.
func notingWatch(t *testing.T, dir string) *watch {
	t.Helper()
	m, err := measurement.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := measuringWatch(&bytes.Buffer{}, m.Links...)
	w.dir = dir
	w.machine = watching.New(watching.Settings{Again: time.Minute})
	if err := os.MkdirAll(w.workDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// interrupted is a folder whose watch was killed when it had measured two links, one of them
// twice, and had not applied a plan yet.
func interrupted(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	known := &measurement.Measurements{Links: []measurement.Link{bandwidth("a", "b", 1e6), bandwidth("b", "c", 1e6)}}
	if err := measurement.Write(dir, known); err != nil {
		t.Fatal(err)
	}
	w := notingWatch(t, dir)
	p := &probing{cli: w.cli, measured: known, results: &measurement.Measurements{}, noted: w.noter([]string{"m"})}
	for _, l := range []measurement.Link{bandwidth("a", "b", 2e5), bandwidth("a", "b", 1e5), bandwidth("b", "a", 1e5)} {
		if err := p.recordLink(l); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func plannedWith(w *watch) map[string]float64 {
	links := map[string]float64{}
	for _, l := range w.project.config.Measured.All().Links {
		links[l.From+l.To] = l.BandwidthBytesPerSecond
	}
	return links
}

// judged is what a watch finds that the folder asks for, where what is deployed was planned with
// a rate from a to b.
func judged(w *watch, deployed float64) string {
	w.compare(func() string {
		if plannedWith(w)["ab"] == deployed {
			return ""
		}
		return "model.m"
	})
	return w.pending
}

// A watch that was killed between a measurement and its plan goes on when it is started anew:
// it counts with what is deployed, so that nothing waits for a person, and measures at once.
func TestGoesOnAfterAMeasurement(t *testing.T) {
	w := notingWatch(t, interrupted(t))
	if pending := judged(w, 1e6); pending != "" {
		t.Errorf("it waits: %s", pending)
	}
	if diff := cmp.Diff(map[string]float64{"ab": 1e6, "bc": 1e6}, plannedWith(w)); diff != "" {
		t.Errorf("it plans with (-want +got):\n%s", diff)
	}
	w.machine.Observe(0, map[string]watching.Seen{"a": {InUse: true}, "b": {InUse: true}}, map[string]watching.Pace{"m": {}})
	if d, ok := w.machine.Next(0); !ok || len(d.Measure) != 1 || d.Measure[0] != "m" {
		t.Errorf("it wants %+v, %v", d, ok)
	}
}

// A note that was recalled stays where the state changes and the folder cannot be read anew: the
// folder asks for nothing only as it was before the measurement.
func TestARecalledNoteStays(t *testing.T) {
	w := notingWatch(t, interrupted(t))
	for range 2 {
		if pending := judged(w, 1e6); pending != "" {
			t.Errorf("it waits: %s", pending)
		}
	}
	if _, err := os.Stat(w.notePath()); err != nil {
		t.Error(err)
	}
}

// A result that the file may not hold is not noted either, and bars no later one.
func TestAnOddResultIsNotNoted(t *testing.T) {
	w := notingWatch(t, t.TempDir())
	p := &probing{cli: w.cli, measured: &measurement.Measurements{}, results: &measurement.Measurements{}, noted: w.noter([]string{"m"})}
	if err := p.recordLink(bandwidth("a", "b", math.NaN())); err == nil {
		t.Error("a bandwidth that is no number was recorded")
	}
	if err := p.recordLink(bandwidth("b", "a", 1e6)); err != nil {
		t.Error(err)
	}
	note, err := readNote(w.notePath())
	if err != nil || len(note.Links) != 1 || note.Links[0].Is.From != "b" {
		t.Errorf("noted %+v, %v", note, err)
	}
}

// What somebody has written into the file since is an edit that waits for a review.
func TestANoteDoesNotHideEdits(t *testing.T) {
	dir := interrupted(t)
	m, err := measurement.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Links[0].BandwidthBytesPerSecond = 3e5
	if err := measurement.Write(dir, m); err != nil {
		t.Fatal(err)
	}
	w := notingWatch(t, dir)
	if pending := judged(w, 1e6); pending == "" {
		t.Error("nothing waits")
	}
	if diff := cmp.Diff(map[string]float64{"ab": 3e5, "ba": 1e5, "bc": 1e6}, plannedWith(w)); diff != "" {
		t.Errorf("it plans with (-want +got):\n%s", diff)
	}
}

// A plan that was carried out ends the note of what it has counted with, and of nothing else.
func TestANoteEndsWithItsPlan(t *testing.T) {
	dir := interrupted(t)
	w := notingWatch(t, dir)
	judged(w, 1e6)
	w.done(watching.Decision{}, watching.Changed) // a device was left out meanwhile, with what was known before
	w = notingWatch(t, dir)
	if pending := judged(w, 1e6); pending != "" {
		t.Errorf("after another change it waits: %s", pending)
	}
	w.project = w.project.measured(&measurement.Measurements{Links: []measurement.Link{bandwidth("a", "b", 1e5), bandwidth("b", "a", 1e5)}})
	w.done(watching.Decision{}, watching.Unchanged)
	if _, err := os.Stat(w.notePath()); !os.IsNotExist(err) {
		t.Errorf("the note is still there: %v", err)
	}
}

// A note that is damaged is told of, and what it was about counts as an edit.
func TestADamagedNote(t *testing.T) {
	w := notingWatch(t, interrupted(t))
	var out bytes.Buffer
	w.stderr = &out
	if err := os.WriteFile(w.notePath(), []byte(`{"format_version": 9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if pending := judged(w, 1e6); pending == "" {
		t.Error("nothing waits")
	}
	if !bytes.Contains(out.Bytes(), []byte("watch-measured.json is of format 9")) {
		t.Errorf("said: %s", out.String())
	}
}
