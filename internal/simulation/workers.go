package simulation

import "math"

// What package worker is built with. A test of that package holds these against it.
const (
	// MinWindow and MaxWindow bound the bytes of a stream that its receiver has not
	// read yet; between them it is the largest message and MessageOverhead.
	MinWindow, MaxWindow = 1 << 20, 16 << 20
	MessageOverhead      = 64<<10 + 1<<10
	// MinInFlight is how many requests a gateway lets in at least.
	MinInFlight = 16
	// MarginSeconds is what the gateway waits beyond the time of a request.
	MarginSeconds = 0.25
	// PatienceSeconds is how long a message waits for a neighbour that is away.
	PatienceSeconds = 3
	// RetrySeconds is how long a request is tried again after its first failure, with
	// PauseSeconds between a failure and the next attempt.
	RetrySeconds, PauseSeconds = 30, 0.05
	// NoticeSeconds is after what time a neighbour that has vanished is given up while
	// data is under way to it: TCP's user timeout, which gRPC sets to its keepalive's.
	NoticeSeconds = 5
)

const (
	// writeQuota is how many bytes gRPC takes from a sender beyond what it has given to
	// the connection (defaultWriteQuota of google.golang.org/grpc/internal/transport).
	writeQuota = 64 << 10
	// reconnectSeconds is from the return of a device until its neighbours are
	// connected: half of the pause between two attempts of worker and gRPC, which is
	// at most 0.15 and 0.6 s.
	reconnectSeconds = 0.4
)

// InFlight is how many requests a gateway lets in: what the queues hold, with one
// received, one computed and one sent by each stage, and no more than it holds where that is
// bounded.
func InFlight(stages, queue, requests int) int {
	fits := max(MinInFlight, (stages+1)*(2*queue+3))
	if requests > 0 {
		return min(fits, requests)
	}
	return fits
}

// Window is how many bytes of messages of a size a receiver takes before it has read them.
func Window(bytes int64) int64 {
	return min(max(MinWindow, bytes+MessageOverhead), MaxWindow)
}

// handed is how many messages of a size a sender has handed on to the connection at most
// while the first of them is on its way.
func handed(bytes int64) int {
	if bytes <= 0 {
		return writeQuota
	}
	return int(math.Ceil(writeQuota / float64(bytes)))
}
