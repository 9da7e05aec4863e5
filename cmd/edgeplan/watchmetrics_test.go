package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgeplan/edgeplan/internal/promtest"
	"github.com/edgeplan/edgeplan/internal/watching"
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
	for _, name := range []string{eventStart, eventStop, eventAway, eventIll, eventBack, eventWaiting, eventPending, eventReady, eventMeasuring, eventMeasured, eventProposed,
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
		found: map[string]watching.Seen{`node.pi["hall"]`: {InUse: true}, `node.pi["roof"]`: {Health: watching.Away}},
		speeds: speeds{"m": {predicted: 10, reaches: map[string]float64{"a": 8, "b": 9}},
			"n": {predicted: 10, answers: 5, reaches: map[string]float64{"a": 9}}}}
	w.machine.Observe(0, w.found, nil)
	m.observe(w, 20*time.Millisecond)
	m.count(eventAway)
	m.done(watching.Changed)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	for _, line := range []string{`edgeplan_watch_device_up{node="node.pi[\"hall\"]"} 1`, `edgeplan_watch_device_up{node="node.pi[\"roof\"]"} 0`,
		`edgeplan_watch_device_excluded{node="node.pi[\"roof\"]"} 1`, `edgeplan_watch_ready 1`, `edgeplan_watch_throughput_ratio{model="m"} 0.8`, `edgeplan_watch_throughput_ratio{model="n"} 0.5`,
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
