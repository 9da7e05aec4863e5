package watching

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const second = time.Second

var patient = Settings{Grace: 30 * second, Settle: time.Minute, Period: 2 * time.Minute, Slow: time.Minute, Gap: 10 * second}

// world is what a machine watches in a test: what it decides is done at once.
type world struct {
	machine *Machine
	every   time.Duration
	now     time.Duration
	health  func(name string, now time.Duration) Health
	slow    func(name string, now time.Duration) bool
	outcome func(Decision) Outcome
	inUse   map[string]bool
	made    []string // "31s leave roof"
	changes []time.Duration
	tries   int
}

func newWorld(s Settings, devices ...string) *world {
	w := &world{machine: New(s), every: 2 * second, inUse: map[string]bool{},
		health:  func(string, time.Duration) Health { return Well },
		slow:    func(string, time.Duration) bool { return false },
		outcome: func(Decision) Outcome { return Changed }}
	for _, name := range devices {
		w.inUse[name] = true
	}
	return w
}

// run goes on until a time.
func (w *world) run(until time.Duration) *world {
	for ; w.now < until; w.now += w.every {
		found := map[string]Seen{}
		for name, used := range w.inUse {
			found[name] = Seen{Health: w.health(name, w.now), InUse: used, Measured: used, Slow: w.slow(name, w.now)}
		}
		w.machine.Observe(w.now, found)
		if d, ok := w.machine.Next(w.now); ok {
			w.act(d)
		}
	}
	return w
}

func (w *world) act(d Decision) {
	w.tries++
	outcome := w.outcome(d)
	w.made = append(w.made, fmt.Sprintf("%s %s", w.now, words(d)))
	w.machine.Done(w.now, d, outcome)
	if outcome != Changed {
		return
	}
	w.changes = append(w.changes, w.now)
	for name := range w.inUse {
		w.inUse[name] = !slices.Contains(d.Exclude, name)
	}
}

func words(d Decision) string {
	var parts []string
	for _, p := range []struct {
		verb  string
		names []string
	}{{"leave", d.Leave}, {"return", d.Return}, {"repair", d.Repair}} {
		if len(p.names) > 0 {
			parts = append(parts, p.verb+" "+strings.Join(p.names, "+"))
		}
	}
	return strings.Join(parts, ", ")
}

// offBetween is a device that is away for some times.
func offBetween(device string, times ...time.Duration) func(string, time.Duration) Health {
	return func(name string, now time.Duration) Health {
		for i := 0; i+1 < len(times); i += 2 {
			if name == device && now >= times[i] && now < times[i+1] {
				return Away
			}
		}
		return Well
	}
}

// flapping is a link that is up and down for a time each, for as long as it lasts.
func flapping(device string, up, down, lasts time.Duration) func(string, time.Duration) Health {
	return func(name string, now time.Duration) Health {
		if name == device && now < lasts && now%(up+down) >= up {
			return Away
		}
		return Well
	}
}

func TestDecisions(t *testing.T) {
	tests := map[string]struct {
		settings Settings
		devices  []string
		edit     func(*world)
		until    time.Duration
		want     []string
	}{
		"nothing happens": {until: time.Hour},
		"a device is gone for good": {until: time.Hour, want: []string{"1m28s leave roof"},
			edit: func(w *world) { w.health = offBetween("roof", minute(1), time.Hour) }},
		"a device is gone for less than the grace": {until: time.Hour,
			edit: func(w *world) { w.health = offBetween("roof", minute(1), minute(1)+26*second) }},
		"it comes back and settles": {until: time.Hour, want: []string{"1m28s leave roof", "10m58s return roof"},
			edit: func(w *world) { w.health = offBetween("roof", minute(1), minute(10)) }},
		"two at once": {until: time.Hour, want: []string{"1m28s leave gate+roof", "10m58s return gate+roof"},
			edit: func(w *world) {
				gate, roof := offBetween("gate", minute(1)+8*second, minute(10)), offBetween("roof", minute(1), minute(10))
				w.health = func(name string, now time.Duration) Health { return max(gate(name, now), roof(name, now)) }
			}},
		"one after the other keeps the period": {until: time.Hour, want: []string{"1m28s leave roof", "3m28s leave gate"},
			edit: func(w *world) {
				gate, roof := offBetween("gate", minute(2), time.Hour), offBetween("roof", minute(1), time.Hour)
				w.health = func(name string, now time.Duration) Health { return max(gate(name, now), roof(name, now)) }
			}},
		"all are away": {until: minute(30),
			edit: func(w *world) { w.health = func(string, time.Duration) Health { return Away } }},
		"10 s on, 10 s off for five minutes": {until: time.Hour, want: []string{"1m38s leave roof", "5m58s return roof"},
			edit: func(w *world) { w.health = flapping("roof", 10*second, 10*second, minute(5)) }},
		"the same with little grace": {until: time.Hour, want: []string{"14s leave roof", "5m58s return roof"},
			settings: Settings{Grace: 5 * second, Settle: minute(1), Period: 10 * second, Gap: 10 * second},
			edit:     func(w *world) { w.health = flapping("roof", 10*second, 10*second, minute(5)) }},
		"each return takes longer to be believed": {until: time.Hour,
			want: []string{"1m28s leave roof", "4m58s return roof", "7m28s leave roof", "11m58s return roof", "15m28s leave roof", "23m58s return roof"},
			edit: func(w *world) {
				w.health = offBetween("roof", minute(1), minute(4), minute(7), minute(10), minute(15), minute(20))
			}},
		"a worker that stays ill is repaired twice, then its device leaves": {until: minute(30),
			want: []string{"30s repair roof", "2m30s repair roof", "4m30s leave roof"},
			edit: func(w *world) {
				w.health = func(name string, now time.Duration) Health {
					if name == "roof" && w.inUse["roof"] {
						return Ill
					}
					return Well
				}
				w.machine.settings.Settle = time.Hour
			}},
		"a device that is too slow": {until: minute(20), want: []string{"4m0s leave roof", "12m0s return roof"},
			edit: func(w *world) {
				w.slow = func(name string, now time.Duration) bool { return name == "roof" && now > minute(3) && now < minute(6) }
			}},
		"a spare device": {devices: []string{"hall", "roof"}, until: minute(20), want: []string{"1m0s return spare"},
			edit: func(w *world) { w.inUse["spare"] = false }},
		"a spare device takes over before it has settled": {devices: []string{"hall", "roof"}, until: minute(20),
			want: []string{"30s leave roof, return spare"},
			edit: func(w *world) {
				w.inUse["spare"] = false
				w.health = offBetween("roof", 2*second, time.Hour)
			}},
		"a spare device that is away": {devices: []string{"hall", "roof"}, until: minute(20), want: nil,
			edit: func(w *world) {
				w.inUse["spare"] = false
				w.health = offBetween("spare", 0, time.Hour)
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.settings == (Settings{}) {
				test.settings = patient
			}
			if test.devices == nil {
				test.devices = []string{"gate", "hall", "roof"}
			}
			w := newWorld(test.settings, test.devices...)
			if test.edit != nil {
				test.edit(w)
			}
			if diff := cmp.Diff(test.want, w.run(test.until).made); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

func minute(n int) time.Duration { return time.Duration(n) * time.Minute }

// A plan that there is not, or that cannot be carried out, is tried ever more rarely.
func TestFailuresBackOff(t *testing.T) {
	w := newWorld(patient, "gate", "hall", "roof")
	w.health = offBetween("roof", 0, 24*time.Hour)
	w.outcome = func(Decision) Outcome { return Failed }
	w.run(time.Hour)
	if w.tries < 5 || w.tries > 16 {
		t.Errorf("tried %d times in an hour:\n%s", w.tries, strings.Join(w.made, "\n"))
	}
}

// A device whose worker stays ill leaves after two repairs that were tried, whatever came
// of them, and not after plans that nobody carried out.
func TestOnlyRepairsCount(t *testing.T) {
	for outcome, leaves := range map[Outcome]bool{Changed: true, Unchanged: true, Failed: true, Proposed: false, NoPlan: false} {
		w := newWorld(patient, "gate", "hall", "roof")
		w.health = func(name string, _ time.Duration) Health {
			if name == "roof" {
				return Ill
			}
			return Well
		}
		w.outcome = func(Decision) Outcome { return outcome }
		w.run(time.Hour)
		left := slices.ContainsFunc(w.made, func(what string) bool { return strings.HasSuffix(what, "leave roof") })
		if left != leaves || outcome == NoPlan && (w.tries < 5 || w.tries > 16) {
			t.Errorf("outcome %d: %q", outcome, w.made)
		}
	}
}

// What is for somebody else to carry out is said once, until it is another thing or
// somebody has changed something.
func TestProposedOnce(t *testing.T) {
	w := newWorld(patient, "gate", "hall", "roof")
	w.health = offBetween("roof", minute(1), minute(30), minute(60), minute(90))
	w.outcome = func(Decision) Outcome { return Proposed }
	w.run(minute(20))
	if diff := cmp.Diff([]string{"1m28s leave roof"}, w.made); diff != "" {
		t.Errorf("proposals (-want +got):\n%s", diff)
	}
	w.machine.Taken(map[string]bool{"gate": true, "hall": true, "roof": true})
	w.run(minute(29))
	w.run(minute(80))
	if len(w.made) != 3 {
		t.Errorf("proposals %q, want another after a change of somebody's and one for the next time", w.made)
	}
}

// Somebody who brings a device back into use is not overruled.
func TestTaken(t *testing.T) {
	w := newWorld(patient, "gate", "hall", "roof")
	w.health = offBetween("roof", 0, minute(5))
	w.run(minute(5))
	w.inUse["roof"] = true
	w.machine.Taken(w.inUse)
	if got := w.machine.Excluded(); len(got) > 0 {
		t.Errorf("%v are still left out", got)
	}
	if w.run(minute(30)); len(w.made) != 1 {
		t.Errorf("decisions %q", w.made)
	}
}

// A device that somebody has left out is used again once it has settled, and counts as
// left out until then.
func TestTakenWithout(t *testing.T) {
	w := newWorld(patient, "gate", "hall", "roof")
	w.run(minute(5))
	w.inUse["roof"] = false
	w.machine.Taken(w.inUse)
	if got := w.machine.Excluded(); !slices.Equal(got, []string{"roof"}) {
		t.Errorf("%v are left out", got)
	}
	if w.run(minute(7)); len(w.made) != 1 || !strings.HasSuffix(w.made[0], "return roof") {
		t.Errorf("decisions %q", w.made)
	}
}

// Time that nobody looked, and a clock that goes back, are nobody's absence.
func TestGapsDoNotCount(t *testing.T) {
	m := New(patient)
	found := func(h Health) map[string]Seen {
		return map[string]Seen{"hall": {InUse: true}, "roof": {Health: h, InUse: true}}
	}
	m.Observe(0, found(Well))
	for i, now := range []time.Duration{time.Hour, 0, 2 * time.Hour} { // 10 s, none, 10 s
		m.Observe(now, found(Away))
		if d, ok := m.Next(now); ok {
			t.Fatalf("observation %d: %s", i, words(d))
		}
	}
	m.Observe(2*time.Hour+10*second, found(Away))
	if d, ok := m.Next(2*time.Hour + 10*second); !ok || words(d) != "leave roof" {
		t.Errorf("after the grace time: %q, %v", words(d), ok)
	}
}

// For any pattern of devices that come and go, and any outcomes: there is never more than one change in a
// period, no plan is asked for while all are away, and nothing is done to no end.
func TestNeverFlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(least, most int, name string) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * second
		}
		s := Settings{Grace: seconds(1, 60, "grace"), Settle: seconds(1, 120, "settle"), Period: seconds(1, 300, "period"),
			Slow: seconds(0, 60, "slow"), Gap: seconds(2, 20, "gap")}
		w := newWorld(s, "a", "b", "c")
		states := map[string]Health{}
		w.health = func(name string, _ time.Duration) Health {
			if rapid.IntRange(0, 9).Draw(t, "turn") == 0 {
				states[name] = Health(rapid.IntRange(0, 2).Draw(t, "health"))
			}
			return states[name]
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
