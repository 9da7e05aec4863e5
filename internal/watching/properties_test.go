package watching

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// For any pattern of devices that come and go, and any outcomes: there is never more than one change in a
// period, no plan is asked for while all are away, and nothing is done to no end.
func TestNeverFlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(least, most int, name string) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * second
		}
		s := Settings{Grace: seconds(1, 60, "grace"), Settle: seconds(1, 120, "settle"), Period: seconds(1, 300, "period"),
			Slow: seconds(0, 60, "slow time"), Gap: seconds(2, 20, "gap"), Again: seconds(0, 300, "again")}
		w := newWorld(s, "a", "b", "c")
		states := map[string]Health{}
		w.health = func(name string, _ time.Duration) Health {
			if rapid.IntRange(0, 9).Draw(t, "turn") == 0 {
				states[name] = Health(rapid.IntRange(0, 2).Draw(t, "health"))
			}
			return states[name]
		}
		w.pace = func(time.Duration) Pace {
			return Pace{Slow: rapid.Bool().Draw(t, "slow"), Measured: rapid.Bool().Draw(t, "measured")}
		}
		w.outcome = func(d Decision) Outcome {
			if d.empty() || len(d.Exclude) == 3 && w.machine.AllAway() {
				t.Fatalf("%s: a plan for nothing: %+v", w.now, d)
			}
			return Outcome(rapid.IntRange(int(Changed), int(NoPlan)).Draw(t, "outcome"))
		}
		w.run(20 * time.Minute)
		for i := 1; i < len(w.changes); i++ {
			if w.changes[i]-w.changes[i-1] < s.Period {
				t.Fatalf("changes at %s and %s, and the period is %s", w.changes[i-1], w.changes[i], s.Period)
			}
		}
	})
}

// Whatever the rhythm of a flapping link, as long as it is never seen up for as long as it
// takes to settle: the device leaves at most once, and comes back at most once.
func TestFlappingLinkChangesTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.IntRange(1, 5).Draw(t, "every")
		up, down := rapid.IntRange(1, 55).Draw(t, "up"), rapid.IntRange(every, 120).Draw(t, "down")
		s := patient
		s.Grace = time.Duration(rapid.IntRange(2, 60).Draw(t, "grace")) * second
		w := newWorld(s, "gate", "hall", "roof")
		w.every = time.Duration(every) * second
		w.health = flapping("roof", time.Duration(up)*second, time.Duration(down)*second, minute(30))
		w.run(minute(40))
		if len(w.changes) > 2 {
			t.Fatalf("%d changes: %q", len(w.changes), w.made)
		}
		if excluded := w.machine.Excluded(); len(excluded) > 0 {
			t.Fatalf("%v are still left out ten minutes after the link is steady", excluded)
		}
	})
}
