package simulation

// load is the clients of a gateway.
type load struct {
	Load
	pauses    func() float64
	under     int            // way
	backlog   fifo[*request] // of an open loop, beyond its concurrency
	admitting bool
	absent    int   // clients of a closed loop that wait for the gateway
	present   level // requests that are due and not answered

	answered, failed int
	latencies        []float64
}

// start sends the first requests.
func (g *gateway) start() {
	if g.Rate > 0 {
		g.line.run.at(g.pauses(), g, nextDue, nil, 0)
		return
	}
	for range g.Concurrency {
		g.request()
	}
}

// Pauses gives the seconds between one request of an open loop and the next, from the
// beginning of a run on: those of model i of a system that is run with a seed.
func (l Load) Pauses(seed uint64, model int) func() float64 {
	if l.Even {
		return func() float64 { return 1 / l.Rate }
	}
	random := randomOf(seed, model, 0)
	return func() float64 { return random.ExpFloat64() / l.Rate }
}

// due sends the next request of an open loop.
func (g *gateway) due() {
	g.line.run.at(g.line.run.now+g.pauses(), g, nextDue, nil, 0)
	g.request()
}

// request makes a request that is due now. Where the gateway is gone it fails, but a client
// of a closed loop waits for the gateway.
func (g *gateway) request() {
	if g.Rate == 0 && g.device != nil && g.device.away {
		g.absent++
		return
	}
	r := &request{due: g.line.run.now}
	g.present.add(r.due, 1)
	if g.under >= g.Concurrency {
		g.backlog.push(r)
	} else {
		g.admit(r)
	}
}

// admit lets a client send a request.
func (g *gateway) admit(r *request) {
	g.under++
	if g.device != nil && g.device.away {
		g.finish(r, false)
	} else {
		g.take(r)
	}
}

// next follows the end of a request.
func (g *gateway) next() {
	g.under--
	if g.Rate == 0 {
		g.request()
		return
	}
	if g.admitting { // one of those below has failed at once
		return
	}
	g.admitting = true
	for g.backlog.len() > 0 && g.under < g.Concurrency {
		g.admit(g.backlog.pop())
	}
	g.admitting = false
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
