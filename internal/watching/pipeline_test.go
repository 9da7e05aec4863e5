package watching

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// slowBetween is a pipeline that is slow for some times, and as predicted otherwise.
func slowBetween(times ...time.Duration) func(time.Duration) Pace {
	return func(now time.Duration) Pace {
		for i := 0; i+1 < len(times); i += 2 {
			if now >= times[i] && now < times[i+1] {
				return Pace{Slow: true, Measured: true}
			}
		}
		return Pace{Measured: true}
	}
}

// measuring is the world's settings in these tests.
func measuring() Settings {
	s := patient
	s.Again = 10 * time.Minute
	return s
}

func TestMeasuring(t *testing.T) {
	tests := map[string]struct {
		edit  func(*world)
		until time.Duration
		want  []string
	}{
		"a pipeline is slow for too short": {until: time.Hour,
			edit: func(w *world) { w.pace = slowBetween(minute(1), minute(1)+56*second) }},
		"nobody asks for anything": {until: time.Hour,
			edit: func(w *world) { w.pace = func(time.Duration) Pace { return Pace{Slow: true} } }},
		"a measurement that changes nothing is done ever more rarely": {until: 9 * time.Hour,
			want: []string{"1m58s measure m", "11m58s measure m", "31m58s measure m", "1h11m58s measure m", "2h31m58s measure m", "5h11m58s measure m"},
			edit: func(w *world) {
				w.pace, w.outcome = slowBetween(minute(1), 24*time.Hour), func(Decision) Outcome { return Unchanged }
			}},
		"a plan keeps away from a link, and comes back to it": {until: 3 * time.Hour,
			want: []string{"1m58s measure m", "11m58s measure m", "31m58s measure m"},
			edit: func(w *world) {
				w.pace = slowBetween(minute(1), minute(2))
				w.outcome = func(Decision) Outcome {
					if w.now > minute(10) && w.now < minute(20) {
						return Unchanged // it is as slow as before
					}
					return Changed
				}
			}},
		"a device that is away may be why": {until: minute(30), want: []string{"1m28s leave roof"},
			edit: func(w *world) {
				w.pace, w.health = slowBetween(minute(1), minute(2)), offBetween("roof", minute(1), time.Hour)
			}},
		"a measurement that fails is tried ever more rarely": {until: minute(4),
			want: []string{"1m58s measure m", "2m4s measure m", "2m14s measure m", "2m34s measure m", "3m14s measure m"},
			edit: func(w *world) {
				w.pace, w.outcome = slowBetween(minute(1), time.Hour), func(Decision) Outcome { return NoPlan }
			}},
		"what a person is to do is said once": {until: time.Hour, want: []string{"1m58s measure m"},
			edit: func(w *world) {
				w.pace, w.outcome = slowBetween(minute(1), time.Hour), func(Decision) Outcome { return Proposed }
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(measuring(), "gate", "hall", "roof")
			test.edit(w)
			if diff := cmp.Diff(test.want, w.run(test.until).made); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// What was measured long ago does not count: a pipeline that was well for eight times as long
// as it was left alone is measured as soon as it is slow.
func TestMeasuringIsForgiven(t *testing.T) {
	w := newWorld(measuring(), "gate", "hall")
	w.outcome = func(Decision) Outcome { return Unchanged }
	w.pace = slowBetween(0, minute(2), minute(100), minute(102), minute(110), minute(125))
	w.run(minute(125))
	if diff := cmp.Diff([]string{"1m0s measure m", "1h40m58s measure m", "1h50m58s measure m"}, w.made); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

// A link of any rhythm of good and bad is measured now and then only, and no more than one
// change is made in a period.
func TestMeasuringIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(measuring(), "gate", "hall")
		w.every = 10 * second
		bad, good := rapid.IntRange(1, 200).Draw(t, "bad minutes"), rapid.IntRange(1, 200).Draw(t, "good minutes")
		w.pace = func(now time.Duration) Pace {
			return Pace{Measured: true, Slow: now%(minute(bad)+minute(good)) < minute(bad)}
		}
		w.outcome = func(Decision) Outcome {
			return Outcome(rapid.IntRange(int(Changed), int(Unchanged)).Draw(t, "outcome"))
		}
		w.run(12 * time.Hour)
		for i := 1; i < len(w.changes); i++ {
			if w.changes[i]-w.changes[i-1] < w.machine.settings.Period {
				t.Fatalf("changes at %s and %s", w.changes[i-1], w.changes[i])
			}
		}
		if len(w.made) > 16 {
			t.Fatalf("measured %d times in 12 hours: %s", len(w.made), strings.Join(w.made, "; "))
		}
	})
}
