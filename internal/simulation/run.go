package simulation

import (
	"context"
	"errors"
)

// run is one run of a system.
type run struct {
	calendar
	Options
	now      float64
	devices  []*device
	media    []*sharing
	lines    []*pipeline
	since    float64 // end of the warm-up
	done     int     // requests
	over     bool
	events   int64
	counting bool
}

// pipeline is a model at work.
type pipeline struct {
	Model
	run     *run
	gateway gateway
	stages  []*stage
	hops    []*hop
}

// receive gives a message to what hop i leads to, if that has room.
func (p *pipeline) receive(i int, m *message) bool {
	if i < len(p.stages) {
		return p.stages[i].put(m)
	}
	p.gateway.result(m)
	return true
}

// giveMore tells what puts into hop i that it has room.
func (p *pipeline) giveMore(i int) {
	if i == 0 {
		p.gateway.resume()
	} else {
		p.stages[i-1].resume()
	}
}

// checkEvery is how many events pass between two looks at the context.
const checkEvery = 1 << 14

// Run simulates a system. It ends with the first limit of the options, or with ctx and its
// error.
func Run(ctx context.Context, s *System, o Options) (*Result, error) {
	if err := s.check(o); err != nil {
		return nil, err
	}
	r := newRun(s, o)
	for _, p := range r.lines {
		p.gateway.start()
	}
	for !r.over {
		e, ok := r.next()
		if !ok {
			return nil, errors.New("the simulation stands still: no request comes any further")
		}
		r.now = e.at
		e.to.fire(e.kind, e.m, e.gen)
		if r.events++; r.events%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return r.result(), nil
}

// at schedules an event.
func (r *run) at(at float64, to target, k kind, m *message, gen uint32) {
	r.add(event{at: at, to: to, kind: k, m: m, gen: gen})
}

// fire handles what happens to the run as a whole.
func (r *run) fire(k kind, _ *message, _ uint32) {
	if k == warm {
		r.count()
	} else {
		r.over = true
	}
}

// warmUp is the share of a run that does not count.
const warmUp = 0.1

// finished is told of every request that ends.
func (r *run) finished() {
	if r.Requests == 0 {
		return
	}
	r.done++
	if !r.counting && float64(r.done) >= warmUp*float64(r.Requests) {
		r.count()
	}
	if r.done == r.Requests {
		r.over = true
	}
}

// count forgets what the warm-up has counted.
func (r *run) count() {
	if r.counting {
		return
	}
	r.counting, r.since = true, r.now
	for _, d := range r.devices {
		d.reset()
	}
	for _, m := range r.media {
		m.reset()
	}
	for _, p := range r.lines {
		p.reset()
	}
}

func (p *pipeline) reset() {
	g, now := &p.gateway, p.run.now
	g.present.reset(now)
	g.answered, g.failed, g.retries, g.latencies = 0, 0, 0, nil
	for _, s := range p.stages {
		s.length.reset(now)
		s.runs, s.compute, s.wait = 0, 0, 0
	}
	for _, h := range p.hops {
		h.length.reset(now)
		h.transfers, h.transfer = 0, 0
	}
}
