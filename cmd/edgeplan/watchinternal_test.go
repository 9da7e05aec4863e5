package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/promtest"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// watchPage is docs/watch.md.
func watchPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/watch.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// docs/watch.md has every event, every field of one, and every option's default.
func TestWatchLogIsDocumented(t *testing.T) {
	page := watchPage(t)
	for _, name := range []string{eventStart, eventStop, eventAway, eventIll, eventBack, eventWaiting, eventPending, eventReady, eventProposed,
		eventApplying, eventApplied, eventUnchanged, eventFailed, eventTaken, eventStateLost, eventStateBack} {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/watch.md does not have the event %s", name)
		}
	}
	for _, field := range fieldsOf(reflect.TypeFor[event](), "") {
		if !strings.Contains(page, "| `"+strings.TrimSuffix(field, "[]")+"` |") {
			t.Errorf("docs/watch.md does not have the field %s", field)
		}
	}
}

// What is served is what promtool takes for good names, and what the page lists.
func TestWatchMetrics(t *testing.T) {
	m := newWatchMetrics()
	w := &watch{machine: watching.New(watching.Settings{Grace: time.Second, Settle: time.Second}), judged: true,
		found:  map[string]watching.Seen{`node.pi["hall"]`: {InUse: true}, `node.pi["roof"]`: {Health: watching.Away}},
		speeds: speeds{"m": {predicted: 10, reaches: map[string]float64{"a": 8, "b": 9}}}}
	w.machine.Observe(0, w.found)
	m.observe(w, 20*time.Millisecond)
	m.count(eventAway)
	m.done(watching.Changed)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	for _, line := range []string{`edgeplan_watch_device_up{node="node.pi[\"hall\"]"} 1`, `edgeplan_watch_device_up{node="node.pi[\"roof\"]"} 0`,
		`edgeplan_watch_device_excluded{node="node.pi[\"roof\"]"} 1`, `edgeplan_watch_ready 1`, `edgeplan_watch_throughput_ratio{model="m"} 0.8`,
		`edgeplan_watch_plans_total{outcome="applied"} 1`, `edgeplan_watch_plans_total{outcome="failed"} 0`, `edgeplan_watch_events_total{event="away"} 1`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	var served, listed []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (edgeplan_\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		served = append(served, match[1]+" "+match[2])
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `(edgeplan_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(watchPage(t), -1) {
		listed = append(listed, match[1]+" "+match[2])
	}
	slices.Sort(served)
	slices.Sort(listed)
	if diff := cmp.Diff(served, listed); diff != "" {
		t.Errorf("docs/watch.md lists other metrics than are served (-served +listed):\n%s", diff)
	}
	promtest.Check(t, []byte(text))
}

// Every unit is one that systemd takes as it is meant, whatever the folders are named.
func TestWatchUnitsAreValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here (Debian: apt-get install systemd)")
	}
	for _, name := range []string{"plain", "with space", `quote " and '`, "100% $HOME", `back\slash`} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			program := filepath.Join(dir, "edgeplan")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			u := watchUnit{User: "daemon", Here: dir, Dir: dir, Program: program, Writes: []string{dir},
				Words: []string{"-chdir=" + dir, "watch", "-auto-approve", "-exclude", `node.pi["roof"]`, "-log", "a b%c$d.log"}}
			text, err := u.render()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "edgeplan-watch.service")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.Command(analyze, "verify", "--man=no", file)
			command.Env = append(os.Environ(), "LC_ALL=C")
			out, err := command.CombinedOutput()
			// Versions of systemd before 254 do not know growing pauses, and say so.
			rest := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(line string) bool {
				return !strings.Contains(line, "edgeplan-watch") || strings.Contains(line, "RestartSteps") || strings.Contains(line, "RestartMaxDelaySec")
			})
			if err != nil || len(rest) > 0 {
				t.Errorf("%v\n%s\n%s", err, out, text)
			}
		})
	}
	if _, err := (watchUnit{Words: []string{"a\nExecStart=/bin/evil"}}).render(); err == nil {
		t.Error("a line break got into the unit")
	}
}

// The log is private, goes on where it was, is put aside when it is full, and takes no
// more than twice its bound.
func TestWatchJournal(t *testing.T) {
	defer func(n int64) { maxJournal = n }(maxJournal)
	maxJournal = 2000
	path := filepath.Join(t.TempDir(), "events")
	c := &cli{secrets: &redactor{}}
	c.secrets.add([]string{"sesame-sesame"})
	for run := range 2 {
		j, err := openJournal(c, path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if err := j.append(event{Event: eventAway, Message: fmt.Sprintf("%d %d sesame-sesame <&>", run, i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > maxJournal || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		content, _ := os.ReadFile(name)
		for line := range bytes.Lines(content) {
			var e event
			if err := json.Unmarshal(line, &e); err != nil || !strings.HasSuffix(e.Message, " (sensitive value) <&>") {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	content, _ := os.ReadFile(path)
	if !bytes.Contains(content, []byte(`"1 99 `)) {
		t.Error("the last event is not in the newest file")
	}
	if _, err := openJournal(c, filepath.Dir(path)); err == nil {
		t.Error("a folder was taken for a log")
	}
}

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

// stageText is what a worker's metrics say of its engine.
func stageText(sum, count float64) []byte {
	return fmt.Appendf(nil, "# TYPE edgeplan_stage_compute_seconds histogram\nedgeplan_stage_compute_seconds_bucket{le=\"+Inf\"} %v\n"+
		"edgeplan_stage_compute_seconds_sum %v\nedgeplan_stage_compute_seconds_count %v\n", count, sum, count)
}

// A stage is slow when it holds its pipeline below the share, by what its engine took
// since the last time; no requests, a worker started anew and one that does not answer tell nothing.
func TestSpeeds(t *testing.T) {
	state := &statefile.State{Models: map[string]statefile.Model{"m": {Release: "r1", Gateway: "a",
		Slices: []statefile.Slice{{Node: "a"}, {Node: "b"}}, Prediction: statefile.Prediction{ThroughputPerSecond: 100}}}}
	s := speeds{}
	steps := []struct {
		what string
		b    deployer.WorkerReport
		want stagePace
	}{
		{"the first look", deployer.WorkerReport{Metrics: stageText(1, 100)}, stagePace{}},
		{"as predicted", deployer.WorkerReport{Metrics: stageText(2, 200)}, stagePace{measured: true}},
		{"no requests", deployer.WorkerReport{Metrics: stageText(2, 200)}, stagePace{}},
		{"a little slower", deployer.WorkerReport{Metrics: stageText(3.3, 300)}, stagePace{measured: true}},
		{"half as fast", deployer.WorkerReport{Metrics: stageText(5.3, 400)}, stagePace{measured: true, slow: true}},
		{"started anew", deployer.WorkerReport{Metrics: stageText(0.1, 1)}, stagePace{}},
		{"does not answer", deployer.WorkerReport{Err: fmt.Errorf("gone")}, stagePace{}},
	}
	for _, step := range steps {
		got := s.measure(state, map[string]deployer.Health{"b": {Workers: map[string]deployer.WorkerReport{"m": step.b}}}, 0.7)
		if got["b"] != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got["b"], step.want)
		}
	}
	v := s["m"]
	testSlowestIsGone(t, s, state)
	v.reaches["b"] = 50
	s.left([]string{"b"})
	state.Models["m"] = statefile.Model{Release: "r2", Gateway: "a", Slices: state.Models["m"].Slices}
	for reached, helped := range map[float64]bool{40: false, 50: false, 55: true} {
		s.measure(state, nil, 0.7)
		s["m"].reaches["a"] = reached
		made := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: 1000}}}
		if err := s.worthwhile(made, []string{"a"}); (err == nil) != helped {
			t.Errorf("%v reached after 50: %v", reached, err)
		}
	}
	v.before, s["m"] = 0, v
	for throughput, better := range map[float64]bool{60: true, 50: false, 40: false} {
		made := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: throughput}}}
		if err := s.worthwhile(made, []string{"b"}); (err == nil) != better {
			t.Errorf("a plan for %v instead of 50: %v", throughput, err)
		}
		if err := s.worthwhile(made, []string{"c"}); err != nil {
			t.Errorf("a plan without a device that is gone: %v", err)
		}
	}
}

// The slowest stage's device is slow while it answers, and gone when it does not: then a
// plan without it is worthwhile although it predicts less.
func testSlowestIsGone(t *testing.T, s speeds, state *statefile.State) {
	t.Helper()
	worse := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: 1}}}
	report := func(text []byte) deployer.Health {
		return deployer.Health{Workers: map[string]deployer.WorkerReport{"m": {Metrics: text}}}
	}
	for _, text := range [][]byte{stageText(1, 100), stageText(3, 200)} {
		s.measure(state, map[string]deployer.Health{"b": report(text)}, 0.7)
	}
	if s.worthwhile(worse, []string{"b"}) == nil {
		t.Error("a plan that predicts less is made without a device that is only slow")
	}
	s.measure(state, map[string]deployer.Health{"b": {Err: fmt.Errorf("no route to host")}}, 0.7)
	if err := s.worthwhile(worse, []string{"b"}); err != nil {
		t.Errorf("the slowest device is gone, and no plan is made without it: %v", err)
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
			found := w.judge(test.answers)
			if found["a"].Health != test.a || found["b"].Health != test.b || found["c"].Health != watching.Well || found["c"].InUse || !found["a"].InUse {
				t.Errorf("%+v", found)
			}
		})
	}
}
