package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// watchEvent is a line of the log, as docs/watch.md describes it.
type watchEvent struct {
	Time        time.Time `json:"time"`
	Event       string    `json:"event"`
	Node        string    `json:"node"`
	Message     string    `json:"message"`
	Excluded    []string  `json:"excluded"`
	UploadBytes int64     `json:"upload_bytes"`
	Seconds     float64   `json:"seconds"`
}

func (b *watchBed) events(t testing.TB) []watchEvent {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, "events"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var list []watchEvent
	for line := range strings.Lines(string(content)) {
		var e watchEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// await waits for an event.
func (b *watchBed) await(t testing.TB, limit time.Duration, event, part string) watchEvent {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, e := range b.events(t) {
			if e.Event == event && strings.Contains(e.Message, part) {
				return e
			}
		}
	}
	t.Fatalf("no event %s with %q within %s: %+v", event, part, limit, b.events(t))
	return watchEvent{}
}

// awaitAway waits until a device is seen to be away.
func (b *watchBed) awaitAway(t testing.TB, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		last := ""
		for _, e := range b.events(t) {
			if strings.Contains(e.Node, name) && slices.Contains([]string{"away", "ill", "back"}, e.Event) {
				last = e.Event
			}
		}
		if last == "away" {
			return
		}
	}
	t.Fatalf("%s is not seen to be away: %+v", name, b.events(t))
}

// awaitApplied waits while a plan is being carried out.
func (b *watchBed) awaitApplied(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		under := 0
		for _, e := range b.events(t) {
			switch e.Event {
			case "applying":
				under++
			case "applied", "failed":
				under = 0
			}
		}
		if under == 0 {
			return
		}
	}
	t.Fatal("a plan is being carried out for more than a minute")
}

// awaitAnswers waits for a right answer after a moment.
func (b *watchBed) awaitAnswers(t testing.TB, after time.Time) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		b.load.mu.Lock()
		n := len(b.load.right)
		answered := n > 0 && b.load.right[n-1].After(after)
		b.load.mu.Unlock()
		if answered {
			return
		}
	}
	t.Fatal("the pipeline does not answer")
}
