package watching

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
	pace    func(now time.Duration) Pace // of the one pipeline
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
		pace:    func(time.Duration) Pace { return Pace{} },
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
		pace := w.pace(w.now)
		pace.Window = min(w.every, w.now) // the first observation stands for no time
		w.machine.Observe(w.now, found, map[string]Pace{"m": pace})
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
	}{{"leave", d.Leave}, {"return", d.Return}, {"repair", d.Repair}, {"measure", d.Measure}} {
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

func minute(n int) time.Duration { return time.Duration(n) * time.Minute }
