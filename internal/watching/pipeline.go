package watching

import (
	"slices"
	"time"
)

// Pace is one observation of a pipeline.
type Pace struct {
	// Slow says that it answers much less than predicted although no stage is slow by
	// itself, where that was Measured: few requests tell nothing.
	Slow, Measured bool
	// Window is the time over which it was measured, since the last time that it was.
	Window time.Duration
}

// pipeline is what is remembered of one.
type pipeline struct {
	slow time.Duration // for how long it was too slow
	calm time.Duration // for how long it was not
	// times is how often in a row it was found too slow: one window may be long, and slow for
	// a reason that is over.
	times int

	wait time.Duration // after the last measurement; 0 where there was none lately
	next time.Duration // it is not measured before
	// evaded is set while a plan is deployed that keeps away from a link that has become
	// slow: it is looked at again now and then, since nobody uses it who would notice.
	evaded bool
	// owed is set where an earlier watch was ended between a measurement and its plan.
	owed bool
}

// longestAgain is the longest that a pipeline is left unmeasured, and leastTimes is how often
// it is found too slow before it is measured at all.
const (
	longestAgain = 6 * time.Hour
	leastTimes   = 2
)

func (p *pipeline) observe(seen Pace) {
	switch {
	case !seen.Measured:
	case seen.Slow:
		p.slow, p.calm, p.times = p.slow+seen.Window, 0, p.times+1
	default:
		p.slow, p.calm, p.times = 0, p.calm+seen.Window, 0
	}
	if p.calm >= forgiven*p.wait && !p.evaded {
		p.wait = 0
	}
}

// due says whether it is to be measured.
func (p *pipeline) due(now time.Duration, s Settings) bool {
	return s.Again > 0 && now >= p.next && (p.evaded || p.owed || s.Slow > 0 && p.slow >= s.Slow && p.times >= leastTimes)
}

// measured takes in that it was, and whether the plan has changed by that. Each time
// doubles the time to the next, until it was well for long.
func (p *pipeline) measured(now time.Duration, changed bool, s Settings) {
	wasSlow := p.slow > 0
	if changed {
		p.evaded = wasSlow
	}
	p.wait = min(max(s.Again, 2*p.wait), max(s.Again, longestAgain))
	p.next, p.slow, p.calm, p.times, p.owed = now+p.wait, 0, 0, 0, false
}

// Owe has pipelines measured as soon as all is well.
func (m *Machine) Owe(names []string) {
	for _, name := range names {
		m.pipelines[name] = &pipeline{owed: true}
	}
}

// toMeasure are the pipelines to be measured now, sorted; none while a device is not well,
// since that may be why.
func (m *Machine) toMeasure(now time.Duration) []string {
	if len(m.filter(func(d *device) bool { return !d.excluded && d.seen.Health != Well })) > 0 {
		return nil
	}
	var names []string
	for name, p := range m.pipelines {
		if p.due(now, m.settings) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
