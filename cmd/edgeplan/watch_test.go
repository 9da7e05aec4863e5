package main_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var watchBench = flag.Bool("watch-bench", false, "hold watch to its targets: a device powered off or cut off, and a link that flaps for five minutes")

// A device is lost under load: a plan without it serves, with the bytes of the layers that
// moved and no others; the device comes back, and is used again. No answer is wrong.
func TestWatchPowerOff(t *testing.T) {
	besideOthers(t)
	t.Run("powered off, and back with an empty disk", func(t *testing.T) {
		testLoss(t, func(b *watchBed) { b.powerOff("roof") }, func(b *watchBed) {
			if err := os.RemoveAll(filepath.Join(b.dir, "homes", "roof", ".edgeplan")); err != nil {
				t.Fatal(err)
			}
			b.servers["roof"].Restart(t)
		})
	})
	if !*watchBench {
		return
	}
	t.Run("cut off, and back with all that ran there", func(t *testing.T) {
		testLoss(t, func(b *watchBed) { b.freeze("roof", true) }, func(b *watchBed) { b.freeze("roof", false) })
	})
}

// besideOthers lets a test run beside others where nothing is measured.
func besideOthers(t *testing.T) {
	if !*watchBench {
		t.Parallel()
	}
}

func testLoss(t *testing.T, lose, bringBack func(*watchBed)) {
	b := newWatchBed(t)
	// An answer that takes longer than the 3 s that are waited for it, as on a busy machine, is no loss.
	grace, limit := 5*time.Second, 15*time.Second
	before := b.stateBytes(t)
	b.start(t, "-interval", "500ms", "-grace", grace.String(), "-settle", "3s", "-period", "2s")
	b.await(t, time.Minute, "start", "watching 3 devices")
	time.Sleep(2 * time.Second) // some looks and answers
	off := time.Now()
	lose(b)
	applied := b.await(t, 2*time.Minute, "applied", "without")
	b.awaitAnswers(t, applied.Time)
	longest, over := b.load.outage(off)
	t.Logf("serving again %.1f s after the loss (grace %s); the longest time without an answer was %.1f s; the apply took %.1f s",
		over.Sub(off).Seconds(), grace, longest.Seconds(), applied.Seconds)
	if *watchBench && over.Sub(off) > grace+limit {
		t.Errorf("that is more than the grace and %s", limit)
	}
	if want := movedBytes(t, before, b.stateBytes(t)); applied.UploadBytes != want {
		t.Errorf("%d bytes were sent, and what moved has %d", applied.UploadBytes, want)
	}
	t.Logf("%d bytes were sent, those of the moved layers", applied.UploadBytes)

	bringBack(b)
	back := b.await(t, 2*time.Minute, "applied", "again")
	b.awaitAnswers(t, back.Time)
	b.end(t)
	right, wrong, failed := b.load.counts()
	t.Logf("%d right answers, %d wrong, %d requests without one", right, wrong, failed)
	if wrong > 0 {
		t.Errorf("%d answers were wrong", wrong)
	}
	if out, err := b.run(nil, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("afterwards: %v\n%s", err, out)
	}
}

// flapping is a link that goes down and comes back, and how watch is to take it.
type flapping struct {
	interval, grace, settle, period string
	down, up                        time.Duration
	times                           int
	rest                            time.Duration // for what is decided late
	most                            int           // changes
}

// Two breaks longer than the grace time: the device leaves with the first, and is not used between them.
var shortFlapping = []flapping{{"500ms", "3s", "10m", "2s", 4 * time.Second, 2 * time.Second, 2, 0, 1}}

// Up for 10 s and down for 10 s, for five minutes.
var longFlapping = []flapping{
	{"2s", "5s", "30s", "1m", 10 * time.Second, 10 * time.Second, 15, 90 * time.Second, 2},
	{"2s", "30s", "30s", "1m", 10 * time.Second, 10 * time.Second, 15, 90 * time.Second, 2},
}

// A link flaps under load: few plans are carried out, it answers afterwards, and no answer is wrong.
func TestWatchFlappingLink(t *testing.T) {
	besideOthers(t)
	flappings := shortFlapping
	if *watchBench {
		flappings = longFlapping
	}
	for _, f := range flappings {
		grace := f.grace
		t.Run("grace "+grace, func(t *testing.T) {
			b := newWatchBed(t)
			b.start(t, "-interval", f.interval, "-grace", grace, "-settle", f.settle, "-period", f.period)
			b.await(t, time.Minute, "start", "watching 3 devices")
			for range f.times {
				b.freeze("roof", true)
				time.Sleep(f.down)
				b.awaitAway(t, "roof") // on a busy machine a look takes its time
				b.freeze("roof", false)
				time.Sleep(f.up)
			}
			time.Sleep(f.rest)
			b.awaitApplied(t)
			b.awaitAnswers(t, time.Now())
			b.end(t)
			applied, failed, others := 0, 0, 0
			for _, e := range b.events(t) {
				switch e.Event {
				case "applied":
					applied++
					t.Logf("%s %s (%d bytes, %.1f s)", e.Time.Format(time.TimeOnly), e.Message, e.UploadBytes, e.Seconds)
				case "failed":
					failed++
					t.Logf("%s %s", e.Time.Format(time.TimeOnly), e.Message)
				case "away", "ill":
					if !strings.Contains(e.Node, "roof") {
						others++ // this machine is busy, and each may leave and return
						t.Logf("%s %s %s: %s", e.Time.Format(time.TimeOnly), e.Node, e.Event, e.Message)
					}
				}
			}
			right, wrong, unanswered := b.load.counts()
			t.Logf("grace %s: %d plans carried out, %d failed; %d right answers, %d wrong, %d without", grace, applied, failed, right, wrong, unanswered)
			if applied > f.most+2*others || wrong > 0 {
				t.Errorf("%d plans were carried out, and at most %d should be; %d answers were wrong", applied, f.most+2*others, wrong)
			}
		})
	}
}
