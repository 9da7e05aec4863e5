package simulation

import "math/rand/v2"

// load is the clients of a gateway.
type load struct {
	Load
	random  *rand.Rand
	under   int            // way
	backlog fifo[*request] // of an open loop, beyond its concurrency
	absent  int            // clients of a closed loop that wait for the gateway
	present level          // requests that are due and not answered

	answered, failed int
	latencies        []float64
}

// start sends the first requests.
func (g *gateway) start() {
	if g.Rate > 0 {
		g.line.run.at(g.pause(), g, nextDue, nil, 0)
		return
	}
	for range g.Concurrency {
		g.request()
	}
}

// pause is the time between two requests of an open loop.
func (g *gateway) pause() float64 {
	if g.Even {
		return 1 / g.Rate
	}
	return g.random.ExpFloat64() / g.Rate
}

// due sends the next request of an open loop.
func (g *gateway) due() {
	g.line.run.at(g.line.run.now+g.pause(), g, nextDue, nil, 0)
	g.request()
}

// request makes a request that is due now. Where the gateway is gone it fails, but a client
// of a closed loop waits for the gateway.
func (g *gateway) request() {
	away := g.device != nil && g.device.away
	if away && g.Rate == 0 {
		g.absent++
		return
	}
	r := &request{due: g.line.run.now}
	g.present.add(r.due, 1)
	switch {
	case g.under >= g.Concurrency:
		g.backlog.push(r)
	case away:
		g.under++
		g.finish(r, false)
	default:
		g.under++
		g.take(r)
	}
}

// next follows the end of a request.
func (g *gateway) next() {
	g.under--
	switch {
	case g.Rate == 0:
		g.request()
	case g.backlog.len() > 0:
		g.under++
		g.take(g.backlog.pop())
	}
}

// comeBack lets the clients go on.
func (g *gateway) comeBack() {
	for n := g.absent; n > 0; n-- {
		g.absent--
		g.request()
	}
}

// note counts the end of a request.
func (g *gateway) note(r *request, answered bool) {
	g.present.add(g.line.run.now, -1)
	if !answered {
		g.failed++
		return
	}
	g.answered++
	g.latencies = append(g.latencies, g.line.run.now-r.due)
}
