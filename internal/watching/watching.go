// Package watching decides when a watched deployment is to be planned anew: without a
// device that is gone, with one that has come back, with new measurements, or to repair what
// runs. It looks at nothing and does nothing itself. Time is given to it, as the time since any fixed
// moment by a clock that does not jump.
package watching

import (
	"maps"
	"slices"
	"time"
)

// Settings say how patient to be.
type Settings struct {
	Grace  time.Duration // how long a device is gone or its worker ill before something is done
	Settle time.Duration // how long it is back before it is used again
	Period time.Duration // from one change to the next, at least
	Slow   time.Duration // how long a device or a pipeline is too slow before something is done
	// Again is how long a pipeline is left after it was measured, at least; it doubles. 0
	// measures none.
	Again time.Duration
	// Gap is the longest time that one observation of a device stands for. What was not looked at,
	// because an apply was under way or the machine slept, says nothing of devices.
	Gap time.Duration
}

// The bounds of waiting that grows.
const (
	longestSettle = time.Hour
	firstRetry    = 5 * time.Second
	longestRetry  = 10 * time.Minute
)

// Health is how a device was found.
type Health int

// The ways a device can be found.
const (
	Well Health = iota
	Ill         // it answers, and a worker that should run there does not
	Away        // it does not answer
)

// Seen is one observation of a device.
type Seen struct {
	Health Health
	InUse  bool // it carries a part of what is deployed
	// Slow says that its stage takes much longer than predicted, where that was Measured:
	// without requests there is nothing to measure.
	Slow, Measured bool
}

// Decision is what to plan for. Lists are sorted.
type Decision struct {
	Exclude []string // all devices to leave out
	// Leave and Return are how that differs from what is left out now, and Repair are
	// devices whose worker is ill.
	Leave, Return, Repair []string
	// Measure are pipelines whose links are to be measured before. Then nothing else is due.
	Measure []string
}

func (d Decision) empty() bool {
	return len(d.Leave)+len(d.Return)+len(d.Repair)+len(d.Measure) == 0
}

func (d Decision) equal(o Decision) bool {
	return slices.Equal(d.Exclude, o.Exclude) && slices.Equal(d.Leave, o.Leave) && slices.Equal(d.Return, o.Return) &&
		slices.Equal(d.Repair, o.Repair) && slices.Equal(d.Measure, o.Measure)
}

// Outcome is what became of a decision.
type Outcome int

// The outcomes.
const (
	Changed   Outcome = iota // a plan was carried out
	Unchanged                // the plan had nothing to do
	Proposed                 // the plan was shown, for somebody to carry it out
	Failed                   // a device kept the plan from being made or carried out
	NoPlan                   // nothing was tried: no plan of the configuration, or the state is locked or cannot be read
)

// Machine remembers what was seen and done. The zero value is not usable.
type Machine struct {
	settings  Settings
	devices   map[string]*device
	pipelines map[string]*pipeline
	seen      time.Duration // when the last observation was
	any       bool          // whether there was one
	pace      pace
}

// New makes a machine that has seen nothing yet.
func New(s Settings) *Machine {
	return &Machine{settings: s, devices: map[string]*device{}, pipelines: map[string]*pipeline{}, pace: pace{period: s.Period}}
}

// Observe takes in how all devices and pipelines were found at a time. A device that carries
// nothing when it is first seen counts as left out, so that it is used once it has settled.
// What is not among those found any more is forgotten.
func (m *Machine) Observe(now time.Duration, found map[string]Seen, paces map[string]Pace) {
	var step time.Duration
	if m.any {
		step = min(max(0, now-m.seen), m.settings.Gap)
	}
	m.seen, m.any = now, true
	for name, seen := range found {
		d, known := m.devices[name]
		if !known {
			d = &device{excluded: !seen.InUse}
			m.devices[name] = d
		}
		d.observe(seen, step, m.settings)
	}
	for name, pace := range paces {
		p, known := m.pipelines[name]
		if !known {
			p = &pipeline{}
			m.pipelines[name] = p
		}
		p.observe(pace)
	}
	keepKeys(m.devices, found)
	keepKeys(m.pipelines, paces)
}

// keepKeys deletes what is not in the other map.
func keepKeys[A, B any](of map[string]A, other map[string]B) {
	maps.DeleteFunc(of, func(name string, _ A) bool {
		_, still := other[name]
		return !still
	})
}

// AllAway says that no device answers: it is more likely that this side is cut off.
func (m *Machine) AllAway() bool {
	for _, d := range m.devices {
		if d.seen.Health != Away {
			return false
		}
	}
	return len(m.devices) > 0
}

// Excluded are the devices that are left out now, sorted.
func (m *Machine) Excluded() []string {
	return m.filter(func(d *device) bool { return d.excluded })
}

// Next says what to plan for now; ok is false when there is nothing to do, or when it is
// too early for it.
func (m *Machine) Next(now time.Duration) (d Decision, ok bool) {
	d, waits := m.wanted()
	if d.empty() && !waits {
		d.Measure = m.toMeasure(now)
	}
	if d.empty() && !waits && !m.AllAway() {
		m.pace.proposed = false // what was proposed is not wanted any more
	}
	if d.empty() || m.AllAway() || !m.pace.allows(now, d) {
		return Decision{}, false
	}
	return d, true
}

// wanted is what is to be done, whenever it may be. Where a device leaves, those that do
// not answer right now go with it: a plan with them could not be carried out; and spare
// devices are taken as they are, since there may be no plan without them. To use a device again, or to repair one, can wait until it is clear what becomes of those.
func (m *Machine) wanted() (d Decision, waits bool) {
	leave := m.filter(func(d *device) bool { return !d.excluded && d.leaves(m.settings) })
	missing := m.filter(func(d *device) bool { return !d.excluded && d.seen.Health == Away })
	if len(leave) == 0 && len(missing) > 0 {
		return Decision{}, true
	}
	d = Decision{
		Leave:  union(leave, missing),
		Return: m.filter(func(d *device) bool { return d.excluded && (d.settled(m.settings) || len(leave) > 0 && d.spare()) }),
		Repair: m.filter(func(d *device) bool { return !d.excluded && d.toRepair(m.settings) && !d.leaves(m.settings) }),
	}
	stay := slices.DeleteFunc(m.Excluded(), func(name string) bool { return slices.Contains(d.Return, name) })
	d.Exclude = union(stay, d.Leave)
	return d, false
}

// Done takes in what became of a decision.
func (m *Machine) Done(now time.Duration, d Decision, outcome Outcome) {
	if outcome != Proposed && outcome != NoPlan {
		for _, name := range d.Repair {
			m.with(name, func(d *device) { d.repaired(outcome != Failed) })
		}
	}
	if outcome == Changed || outcome == Unchanged {
		for _, name := range d.Leave {
			m.with(name, (*device).leave)
		}
		for _, name := range d.Return {
			m.with(name, (*device).comeBack)
		}
		for _, name := range d.Measure {
			if p, known := m.pipelines[name]; known {
				p.measured(now, outcome == Changed, m.settings)
			}
		}
	}
	m.pace.done(now, d, outcome)
}

// Taken takes in that somebody else has changed what is deployed: devices that carry
// something are not left out, and those that carry nothing are, until they have settled.
func (m *Machine) Taken(inUse map[string]bool) {
	for name, d := range m.devices {
		switch {
		case inUse[name] && d.excluded:
			d.comeBack()
		case !inUse[name] && !d.excluded:
			d.excluded, d.good = true, 0
		}
	}
	clear(m.pipelines)
	m.pace.forget()
}

func (m *Machine) with(name string, do func(*device)) {
	if d, known := m.devices[name]; known {
		do(d)
	}
}

func (m *Machine) filter(keep func(*device) bool) []string {
	var names []string
	for name, d := range m.devices {
		if keep(d) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// union is of two lists, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
