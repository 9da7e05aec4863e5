package simulation

// request is one that a client waits for, in one or more attempts.
type request struct {
	due      float64 // when the client wanted to send it
	deadline float64
	tryUntil float64 // 0 until its first failure
	entered  bool    // has a place at the gateway
	done     bool    // answered or failed
	retrying bool    // another attempt follows in a moment
}

// message is one attempt of a request on its way down the line, or a gap: what tells the
// gateway that messages before it may be lost.
type message struct {
	*request         // nil for a gap
	failed   bool    // only its error travels on
	patience float64 // until when a hop waits for its neighbour
	queued   float64 // when it came to the stage
	began    float64 // when the engine, or the transfer, began
}

func (m *message) gap() bool { return m.request == nil }

// late says whether a message's time is over.
func (m *message) late(now float64) bool {
	return !m.gap() && !m.failed && now > m.deadline
}
