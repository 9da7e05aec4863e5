package simulation

import "math"

// gateway lets requests into the pipeline, a bounded number at once, and keeps each until
// its result is there.
type gateway struct {
	load
	line    *pipeline
	device  *device // nil is none
	free    int
	waiting fifo[*request] // for a place
	putting fifo[*message] // wait for room in the first hop
	all     fifo[*request] // in order of deadline, done ones among them
	timed   bool           // expired is scheduled

	resuming bool
	retries  int
}

// take lets a request in, now or when there is a place.
func (g *gateway) take(r *request) {
	r.deadline = math.Inf(1)
	if g.line.TimeoutSeconds > 0 {
		r.deadline = g.line.run.now + g.line.TimeoutSeconds
	}
	g.all.push(r)
	g.watch()
	if g.free == 0 {
		g.waiting.push(r)
		return
	}
	g.enter(r)
}

func (g *gateway) enter(r *request) {
	g.free--
	r.entered = true
	g.attempt(r)
}

// attempt puts a request into the pipeline.
func (g *gateway) attempt(r *request) {
	m := &message{request: r}
	if g.putting.len() > 0 || !g.line.hops[0].put(m) {
		g.putting.push(m)
	}
}

// resume is told that the first hop has room.
func (g *gateway) resume() {
	if g.resuming { // the hop asks for more while it takes one
		return
	}
	g.resuming = true
	for g.putting.len() > 0 {
		if m := g.putting.front(); !m.done && !g.line.hops[0].put(m) {
			break
		}
		g.putting.pop()
	}
	g.resuming = false
}

// result takes what comes out of the pipeline; the first for a request counts.
func (g *gateway) result(m *message) {
	if !m.gap() {
		g.finish(m.request, !m.failed)
		return
	}
	for _, r := range g.all.items[g.all.first:] {
		if r.entered && !r.done {
			g.retries++
			g.putting.push(&message{request: r})
		}
	}
	g.resume()
}

// fail takes a message that comes no further: it is sent again for a while, unless its time
// is over.
func (g *gateway) fail(m *message) {
	now := g.line.run.now
	switch {
	case m.gap() || m.done || m.retrying:
	case m.late(now):
		g.finish(m.request, false)
	default:
		if m.tryUntil == 0 {
			m.tryUntil = now + RetrySeconds
			g.line.run.at(m.tryUntil, g, givenUp, m, 0)
		}
		m.retrying = true
		g.line.run.at(now+PauseSeconds, g, retryDue, m, 0)
	}
}

// finish answers a request once, and gives its place to the next.
func (g *gateway) finish(r *request, answered bool) {
	if r.done {
		return
	}
	r.done = true
	if r.entered {
		g.free++
	}
	g.note(r, answered)
	for g.free > 0 && g.waiting.len() > 0 {
		if next := g.waiting.pop(); !next.done {
			g.enter(next)
		}
	}
	g.line.run.finished()
	g.next()
}

func (g *gateway) fire(k kind, m *message, _ uint32) {
	switch {
	case k == nextDue:
		g.due()
	case k == expired:
		g.timed = false
		g.expire()
	case m.done:
	case k == givenUp:
		g.finish(m.request, false)
	case k == retryDue:
		m.retrying = false
		g.retries++
		g.attempt(m.request)
	}
}

// watch schedules the end of the oldest request's time.
func (g *gateway) watch() {
	for g.all.len() > 0 && g.all.front().done {
		g.all.pop()
	}
	if g.timed || g.all.len() == 0 || math.IsInf(g.all.front().deadline, 1) {
		return
	}
	g.timed = true
	g.line.run.at(g.all.front().deadline+MarginSeconds, g, expired, nil, 0)
}

// expire fails the requests whose time is over.
func (g *gateway) expire() {
	for g.all.len() > 0 && (g.all.front().done || g.all.front().deadline+MarginSeconds <= g.line.run.now) {
		g.finish(g.all.pop(), false)
	}
	g.watch()
}

// lose fails all requests of a gateway that is gone.
func (g *gateway) lose() {
	g.putting.take()
	g.waiting.take()
	for _, r := range g.all.take() {
		g.finish(r, false)
	}
}
