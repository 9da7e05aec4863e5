package simulation

// hop moves messages to the next part of the pipeline: a bounded queue, a sender with one
// message in hand, what it has handed on to the connection, one transfer at a time, and a
// reader that waits while the next part takes no more. What has been transferred and not
// read is bounded by the stream's window.
type hop struct {
	Hop
	line   *pipeline
	at     int
	from   *device
	to     *device
	media  []*sharing
	handed int // limit of outbox
	unread int // limit of inbox
	jitter jitter

	queue   fifo[*message]
	length  level // of queue
	sending *message
	sent    bool // waits for room in the outbox
	waiting bool // waits for the connection
	outbox  fifo[*message]
	wire    *message
	open    int            // media that still work on the transfer
	flying  fifo[*message] // transferred and still under way
	inbox   fifo[*message]
	reading *message
	read    bool // waits for room in the next part

	stream
	genOut, genIn uint32 // of what happens at the sender and at the receiver

	transfers int
	transfer  float64 // seconds of all transfers
}

// put takes a message if there is room.
func (h *hop) put(m *message) bool {
	if h.Local {
		m.queued = h.line.run.now
		return h.line.receive(h.at, m)
	}
	if m.gap() {
		h.gap(m)
		return true
	}
	if h.queue.len() >= h.line.Queue {
		return false
	}
	now := h.line.run.now
	m.patience = now + PatienceSeconds
	h.queue.push(m)
	h.length.add(now, 1)
	h.send()
	return true
}

// send takes the next message in hand.
func (h *hop) send() {
	for h.sending == nil && h.queue.len() > 0 {
		h.sending = h.queue.pop()
		h.length.add(h.line.run.now, -1)
		h.begin()
		h.line.giveMore(h.at)
	}
}

// begin sends what is in hand, or waits for the connection.
func (h *hop) begin() {
	m, now := h.sending, h.line.run.now
	if m.late(now) {
		h.sending = nil
		h.line.gateway.fail(m)
		return
	}
	if h.cut {
		h.await()
		return
	}
	if work := h.from.work(h.bytes(m)); work > 0 {
		h.from.add(work, h, sendDone, m, h.genOut)
	} else {
		h.handOn()
	}
}

// bytes are none for a message that is only an error.
func (h *hop) bytes(m *message) int64 {
	if m.failed {
		return 0
	}
	return h.Bytes
}

// handOn gives what is in hand to the connection, or waits for room.
func (h *hop) handOn() {
	if h.cut {
		h.await()
		return
	}
	if h.sent = h.outbox.len() >= h.handed; h.sent {
		return
	}
	h.outbox.push(h.sending)
	h.sending = nil
	h.transmit()
}

// transmit begins the next transfer if the receiver takes it.
func (h *hop) transmit() {
	for h.wire == nil && h.outbox.len() > 0 && !h.cut && !h.vanished && (h.inbox.len() == 0 || h.inbox.len()+h.flying.len() < h.unread) {
		m := h.outbox.front()
		h.wire, m.began = m, h.line.run.now
		if h.open = len(h.media); m.gap() || m.failed || h.open == 0 {
			h.delivered()
			continue
		}
		slower := h.jitter.draw()
		for i, medium := range h.media {
			medium.add(h.Uses[i].Seconds*slower, h, jobDone, m, h.genOut)
		}
		return
	}
}

// delivered ends a transfer.
func (h *hop) delivered() {
	m := h.outbox.pop()
	h.wire = nil
	if !m.gap() {
		h.transfers++
		h.transfer += h.line.run.now - m.began
	}
	h.flying.push(m)
	if h.LatencySeconds > 0 {
		h.line.run.at(h.line.run.now+h.LatencySeconds, h, arrived, m, h.genIn)
	} else {
		h.arrive()
	}
	if h.sent {
		h.handOn()
		h.send()
	}
}

func (h *hop) arrive() {
	h.inbox.push(h.flying.pop())
	h.receive()
}

// receive reads the next message.
func (h *hop) receive() {
	for h.reading == nil && h.inbox.len() > 0 {
		m := h.inbox.pop()
		h.reading = m
		work := 0.0
		if !m.gap() {
			work = h.to.work(h.bytes(m))
		}
		if work > 0 {
			h.to.add(work, h, readDone, m, h.genIn)
		} else {
			h.readAll()
		}
	}
}

// readAll ends the reading of a message.
func (h *hop) readAll() {
	h.reading.queued = h.line.run.now
	h.deliver()
}

// deliver gives what was read to the next part, or waits for room.
func (h *hop) deliver() {
	m := h.reading
	h.read = false // the next part asks for more while it takes this
	if h.read = !h.line.receive(h.at, m); !h.read {
		h.reading = nil
	}
}

// takeMore is told by the next part that it has room.
func (h *hop) takeMore() {
	if h.Local {
		h.line.gateway.resume()
		return
	}
	if h.read {
		h.deliver()
		h.receive()
		h.transmit()
	}
}

func (h *hop) fire(k kind, m *message, gen uint32) {
	if k == arrived || k == readDone {
		if gen == h.genIn {
			h.fireIn(k)
		}
		return
	}
	if gen != h.genOut {
		return
	}
	switch k {
	case sendDone:
		h.handOn()
		h.send()
	case jobDone:
		if h.open--; h.open == 0 {
			h.delivered()
			h.transmit()
		}
	default:
		h.fireBroken(k, m)
	}
}

func (h *hop) fireIn(k kind) {
	if k == arrived {
		h.arrive()
		return
	}
	h.readAll()
	h.receive()
	h.transmit()
}
