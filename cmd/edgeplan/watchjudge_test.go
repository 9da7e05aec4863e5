package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/statefile"
)

// What keeps watch waiting is judged again when the folder changes or a minute is over, and
// not because of the log that watch itself writes there.
func TestWatchJudgesAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for log, own := range map[string]bool{filepath.Join(dir, "events"): true, filepath.Join(dir, "sub", "events"): false, "": false} {
		w := &watch{cli: &cli{dir: dir}, flags: watchFlags{log: log}, judgedAt: time.Now()}
		w.folder = w.fingerprint()
		if w.stale() {
			t.Errorf("-log %q: stale at once", log)
		}
		write("events")
		write("events.1")
		if w.stale() == own {
			t.Errorf("-log %q: stale after files events and events.1 were written: %v", log, !own)
		}
		w.folder = w.fingerprint()
		write("main.edgeplan.hcl")
		if !w.stale() {
			t.Errorf("-log %q: a new file is not seen", log)
		}
		w.folder, w.judgedAt = w.fingerprint(), time.Now().Add(-judgeEvery)
		if !w.stale() {
			t.Errorf("-log %q: not judged again after %s", log, judgeEvery)
		}
		for _, name := range []string{"events", "events.1", "main.edgeplan.hcl"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// How a device was found, from how it and its workers answered.
func TestWatchJudges(t *testing.T) {
	state := statefile.New()
	state.Models["m"] = statefile.Model{Release: "r1", Gateway: "a", Slices: []statefile.Slice{{Node: "a"}, {Node: "b"}}}
	ready, unready, gone := deployer.WorkerReport{Ready: true}, deployer.WorkerReport{}, deployer.WorkerReport{Err: fmt.Errorf("no worker answers")}
	answers := func(a, b deployer.WorkerReport) map[string]deployer.Health {
		return map[string]deployer.Health{"a": {Workers: map[string]deployer.WorkerReport{"m": a}}, "b": {Workers: map[string]deployer.WorkerReport{"m": b}}, "c": {}}
	}
	away := answers(unready, ready)
	away["b"] = deployer.Health{Err: fmt.Errorf("no route to host")}
	for name, test := range map[string]struct {
		answers map[string]deployer.Health
		a, b    watching.Health
	}{
		"all is well":                          {answers(ready, ready), watching.Well, watching.Well},
		"a stage is not ready":                 {answers(ready, unready), watching.Well, watching.Ill},
		"a worker does not answer":             {answers(ready, gone), watching.Well, watching.Ill},
		"the gateway misses a stage":           {answers(unready, gone), watching.Well, watching.Ill},
		"the gateway misses a device":          {away, watching.Well, watching.Away},
		"the gateway is not ready by itself":   {answers(unready, ready), watching.Ill, watching.Well},
		"the gateway's worker does not answer": {answers(gone, ready), watching.Ill, watching.Well},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := &watch{cli: &cli{stderr: &out, secrets: &redactor{}}, state: state, speeds: speeds{}, metrics: newWatchMetrics(), journal: &journal{}}
			found := w.judge(test.answers, nil)
			if found["a"].Health != test.a || found["b"].Health != test.b || found["c"].Health != watching.Well || found["c"].InUse || !found["a"].InUse {
				t.Errorf("%+v", found)
			}
		})
	}
}
