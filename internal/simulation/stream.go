package simulation

// stream is the connection under a hop. What it loses comes back to the gateway in one of
// two ways, as retry.go of package worker says: what the receiver had not handed on is
// answered as failed by the sender, once that knows; and for what was further on, every new
// stream begins with a gap.
type stream struct {
	cut      bool // there is none
	vanished bool // the receiver is gone, and the sender does not know yet
	lost     []*message
	gapDue   bool
}

// await lets what is in hand wait for the connection as long as its patience lasts.
func (h *hop) await() {
	h.sent, h.waiting = false, true
	h.line.run.at(max(h.line.run.now, h.sending.patience), h, impatient, h.sending, h.genOut)
}

// gap sends a gap before all that waits, or leaves it to the next stream.
func (h *hop) gap(m *message) {
	if h.cut {
		h.gapDue = true
		return
	}
	h.outbox.push(m)
	h.transmit()
}

func (h *hop) fireBroken(k kind, m *message) {
	switch {
	case k == noticed && h.vanished:
		h.notice()
	case k == impatient && h.waiting && h.sending == m:
		h.waiting, h.sending = false, nil
		h.line.gateway.fail(m)
		h.send()
	case k == connected && h.cut && !h.away():
		h.cut, h.lost = false, nil
		h.gap(&message{})
		if h.waiting {
			h.waiting = false
			h.begin()
			h.send()
		}
	}
}

// away says that a device at one of the ends is.
func (h *hop) away() bool {
	return h.from != nil && h.from.away || h.to != nil && h.to.away
}

// notice breaks the stream at the sender, which answers for all that it carried.
func (h *hop) notice() {
	h.cut, h.vanished = true, false
	lost := append(h.lost, h.outbox.take()...)
	h.lost = nil
	for _, m := range lost {
		h.line.gateway.fail(m)
	}
	if h.sent {
		h.await()
	}
}

// loseReceiver is told that the device at the end is gone, with what the next part of the
// pipeline had in hand, and for how long.
func (h *hop) loseReceiver(held []*message, seconds float64) {
	if h.Local {
		return
	}
	h.stop()
	h.lost = append(append(h.lost, held...), h.inbox.take()...)
	h.lost = append(h.lost, h.flying.take()...)
	if h.reading != nil {
		h.lost = append(h.lost, h.reading)
	}
	h.reading, h.read = nil, false
	h.genIn++
	if !h.cut {
		h.vanished = true
		h.line.run.at(h.line.run.now+min(NoticeSeconds, seconds), h, noticed, nil, h.genOut)
	}
}

// loseSender is told that the device at the beginning is gone.
func (h *hop) loseSender() {
	if h.Local {
		return
	}
	h.stop()
	h.queue.take()
	h.length.set(h.line.run.now, 0)
	h.outbox.take()
	h.sending, h.sent, h.waiting = nil, false, false
	h.stream = stream{cut: true}
	h.genOut++
}

// stop ends the transfer under way without a result.
func (h *hop) stop() {
	if h.wire == nil {
		return
	}
	for _, medium := range h.media {
		medium.cancel(h)
	}
	h.wire, h.open = nil, 0
}

// comeBack is told that a device at one of the ends is there again.
func (h *hop) comeBack() {
	if h.Local || h.away() {
		return
	}
	if h.vanished { // the first packet is answered with a reset
		h.notice()
	}
	h.line.run.at(h.line.run.now+reconnectSeconds, h, connected, nil, h.genOut)
}
