package watching

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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

// A device that was slow before its worker fell ill leaves because it is ill: it is used
// again as soon as one that was never slow.
func TestIllIsNotSlow(t *testing.T) {
	d := &device{}
	d.observe(Seen{InUse: true, Measured: true, Slow: true}, 50*second, patient)
	if d.slow != 50*second {
		t.Fatalf("slow for %s", d.slow)
	}
	d.observe(Seen{Health: Ill, InUse: true, Measured: true, Slow: true}, 10*second, patient)
	if d.leaves(patient) {
		t.Error("an ill device leaves because it was slow")
	}
	if d.leave(); d.strikes != 1 || d.settleTime(patient) != patient.Settle {
		t.Errorf("%d strikes, and %s to settle", d.strikes, d.settleTime(patient))
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
	m.Observe(0, found(Well), nil)
	for i, now := range []time.Duration{time.Hour, 0, 2 * time.Hour} { // 10 s, none, 10 s
		m.Observe(now, found(Away), nil)
		if d, ok := m.Next(now); ok {
			t.Fatalf("observation %d: %s", i, words(d))
		}
	}
	m.Observe(2*time.Hour+10*second, found(Away), nil)
	if d, ok := m.Next(2*time.Hour + 10*second); !ok || words(d) != "leave roof" {
		t.Errorf("after the grace time: %q, %v", words(d), ok)
	}
}
