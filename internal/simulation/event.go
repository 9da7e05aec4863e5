package simulation

// target is what an event happens to. gen tells an event that was called off in the
// meantime from one that is still wanted.
type target interface {
	fire(kind kind, m *message, gen uint32)
}

// kind says what happens.
type kind uint8

const (
	nextJob    kind = iota // of a sharing: its next job ends
	jobDone                // of whoever gave a sharing a job
	sendDone               // of a hop
	readDone               // of a hop
	arrived                // of a hop: propagation is over
	impatient              // of a hop: its message has waited long enough for the neighbour
	noticed                // of a hop: its stream is known to be broken
	connected              // of a hop
	nextDue                // of a gateway: an open loop's next request
	retryDue               // of a gateway: a request is tried again
	givenUp                // of a gateway: a request has been tried for long enough
	expired                // of a gateway: the oldest request's time is over
	deviceLost             // of the run
	deviceBack             // of the run
	warm                   // of the run
	ended                  // of the run
)

type event struct {
	at   float64
	seq  uint64 // among events of one time the first that was scheduled comes first
	to   target
	m    *message
	gen  uint32
	kind kind
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.seq < other.seq
}

// calendar holds events that are to come: a heap with four children a node, which has half
// the depth of a binary one.
type calendar struct {
	heap []event
	seq  uint64
}

const children = 4

func (c *calendar) add(e event) {
	c.seq++
	e.seq = c.seq
	c.heap = append(c.heap, e)
	at := len(c.heap) - 1
	for at > 0 {
		parent := (at - 1) / children
		if c.heap[parent].before(&e) {
			break
		}
		c.heap[at] = c.heap[parent]
		at = parent
	}
	c.heap[at] = e
}

func (c *calendar) next() (e event, ok bool) {
	n := len(c.heap) - 1
	if n < 0 {
		return e, false
	}
	e = c.heap[0]
	last := c.heap[n]
	c.heap[n] = event{}
	c.heap = c.heap[:n]
	if n > 0 {
		c.sink(last)
	}
	return e, true
}

// sink finds the place of an event from the root on.
func (c *calendar) sink(e event) {
	at, n := 0, len(c.heap)
	for {
		first := children*at + 1
		if first >= n {
			break
		}
		least := first
		for i := first + 1; i < min(first+children, n); i++ {
			if c.heap[i].before(&c.heap[least]) {
				least = i
			}
		}
		if e.before(&c.heap[least]) {
			break
		}
		c.heap[at] = c.heap[least]
		at = least
	}
	c.heap[at] = e
}
