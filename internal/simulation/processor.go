package simulation

import (
	"math"
	"slices"
)

// processor runs one job at a time, as a single processor under Linux does, and looks at its
// ticks whose turn it is: a time slice (some 0.7 ms times 1 + log2 of the processors, in
// kernel/sched/fair.c) is over before a tick of 4 ms is. So what is new waits for the tick, or
// for the end of what runs; and who has more to do at the end of a job goes on with it, which is
// why a result may wait while the engine is busy with the next request.
type processor struct {
	run    *run
	tick   float64
	jobs   []turn // the first one runs
	last   float64
	gen    uint32 // of the scheduled event
	ending bool   // a job ends, and whoever hears of it may add more
	busy   float64
	quota  quota
	tickAt float64 // the first one after the last look
}

type turn struct {
	left float64 // seconds
	job
}

// move brings what runs to now.
func (p *processor) move() {
	now := p.run.now
	if len(p.jobs) > 0 && !p.quota.throttled {
		given := now - p.last
		p.jobs[0].left -= given
		p.busy += given
		p.quota.used(given)
	}
	p.last = now
	p.quota.renew(now)
}

// add starts a job of some seconds; to hears of its end.
func (p *processor) add(seconds float64, to target, kind kind, m *message, gen uint32) {
	p.move()
	p.quota.look()
	p.jobs = append(p.jobs, turn{left: seconds, job: job{to: to, m: m, gen: gen, kind: kind}})
	if !p.ending {
		p.schedule()
	}
}

// cancel drops the jobs of a target, or all if it is nil.
func (p *processor) cancel(to target) {
	p.move()
	p.jobs = slices.DeleteFunc(p.jobs, func(j turn) bool { return to == nil || j.to == to })
	p.schedule()
}

// fire ends the job that runs, gives the next one its turn at a tick, or begins a new period.
func (p *processor) fire(_ kind, _ *message, gen uint32) {
	if gen != p.gen {
		return
	}
	p.move()
	switch {
	case p.quota.throttled:
	case p.jobs[0].left <= tiny:
		p.end()
	case p.last >= p.tickAt-tiny:
		p.quota.look()
		p.jobs = append(p.jobs[1:], p.jobs[0])
	}
	p.schedule()
}

// end takes out the job that runs. If the same part has more to do, that comes first.
func (p *processor) end() {
	j := p.jobs[0]
	p.jobs = p.jobs[1:]
	p.quota.look()
	p.ending = true
	j.to.fire(j.kind, j.m, j.gen)
	p.ending = false
	if len(p.jobs) == 0 {
		p.quota.idle()
	}
	for i, more := range p.jobs {
		if more.to == j.to && more.kind == j.kind {
			copy(p.jobs[1:i+1], p.jobs[:i])
			p.jobs[0] = more
			return
		}
	}
}

// schedule announces the end of what runs, the next tick, or the next period.
func (p *processor) schedule() {
	p.gen++
	if len(p.jobs) == 0 {
		return
	}
	p.tickAt = p.tick * (1 + math.Floor(p.last/p.tick+1e-9))
	at := min(p.last+max(0, p.jobs[0].left), p.tickAt)
	if p.quota.throttled {
		at = p.quota.periodEnd
	}
	if p.quota.period > 0 {
		at = min(at, p.quota.periodEnd)
	}
	p.run.calendar.add(event{at: at, to: p, kind: nextJob, gen: p.gen})
}

// reset forgets how long it was busy.
func (p *processor) reset() {
	p.move()
	p.busy = 0
}

// used is the share of the time that it was busy.
func (p *processor) used(seconds float64) float64 {
	p.move()
	return per(p.busy, seconds)
}
