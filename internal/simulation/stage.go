package simulation

// stage is an engine behind a bounded queue. It runs one request at a time and holds the
// result while the next hop takes no more.
type stage struct {
	Stage
	line    *pipeline
	at      int
	device  *device
	in      fifo[*message]
	length  level // of in
	running *message
	held    bool // what runs has ended and waits for the next hop
	gen     uint32
	factor  func() float64

	runs          int
	compute, wait float64 // seconds of all runs
}

// put takes a message if there is room.
func (s *stage) put(m *message) bool {
	if s.in.len() >= s.line.Queue {
		return false
	}
	s.in.push(m)
	s.length.add(s.line.run.now, 1)
	s.work()
	return true
}

// work begins with the next message if the engine is free.
func (s *stage) work() {
	for s.running == nil && s.in.len() > 0 {
		now := s.line.run.now
		m := s.in.pop()
		s.length.add(now, -1)
		s.running, m.began = m, now
		if m.late(now) {
			m.failed = true
		}
		if m.gap() || m.failed {
			s.pass()
		} else {
			s.runs++
			s.wait += now - m.queued
			s.device.add(s.Seconds*s.factor(), s, jobDone, m, s.gen)
		}
		s.line.hops[s.at].takeMore()
	}
}

// fire ends a run of the engine.
func (s *stage) fire(_ kind, m *message, gen uint32) {
	if gen != s.gen {
		return
	}
	s.compute += s.line.run.now - m.began
	s.pass()
	s.work()
}

// computed is how long the engine has run, the run under way included.
func (s *stage) computed() float64 {
	if s.running == nil || s.held {
		return s.compute
	}
	return s.compute + s.line.run.now - max(s.running.began, s.line.run.since)
}

// pass hands the result on, or holds it.
func (s *stage) pass() {
	s.held = !s.line.hops[s.at+1].put(s.running)
	if !s.held {
		s.running = nil
	}
}

// resume tries again what is held.
func (s *stage) resume() {
	if s.held {
		s.held = false // the hop asks for more while it takes this
		s.pass()
		s.work()
	}
}

// lose empties the stage and gives what it had in hand.
func (s *stage) lose() []*message {
	lost := s.in.take()
	s.length.set(s.line.run.now, 0)
	if s.running != nil {
		lost = append(lost, s.running)
	}
	s.running, s.held = nil, false
	s.gen++
	return lost
}
