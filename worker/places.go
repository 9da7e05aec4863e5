package worker

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// A gateway has memory for some requests, and clients may send more than that at once. So
// a request gets a place before it is read; those without one wait in the client, but for
// what fits into unreadBytes, and take turns.

// unreadBytes of each request are taken in before it has a place: the least that HTTP/2
// has a window for (RFC 9113, section 6.9.2).
const unreadBytes = 64<<10 - 1

// arrivalKey is that of the arrival of a request in its context.
type arrivalKey struct{}

// arrival is when a request came, which its time counts from, and how long it waited for a place.
type arrival struct {
	at     time.Time
	waited time.Duration
}

// arrivedAt is when the request of a context came.
func arrivedAt(ctx context.Context) time.Time {
	if a, ok := ctx.Value(arrivalKey{}).(arrival); ok {
		return a.at
	}
	return time.Now()
}

// waitedFor is how long the request of a context waited for a place.
func waitedFor(ctx context.Context) time.Duration {
	a, _ := ctx.Value(arrivalKey{}).(arrival)
	return a.waited
}

// newPlaces is nil where as many requests may come as will.
func newPlaces(m Manifest) *turns {
	if m.Gateway.Requests == 0 {
		return nil
	}
	return newTurns(m.Gateway.Requests)
}

// hold waits for a place, as long as a request may take. Its errors are statuses.
func (g *gateway) hold(ctx context.Context, bytes int64) (context.Context, func(), error) {
	came := time.Now()
	if g.places == nil {
		return unheld(context.WithValue(ctx, arrivalKey{}, arrival{at: came}), bytes)
	}
	waiting, cancel := context.WithTimeout(ctx, g.timeout())
	defer cancel()
	leave, err := g.places.takeAll(waiting, clientOf(ctx), g.placesOf(bytes))
	waited := time.Since(came)
	if err != nil {
		end, _ := waiting.Deadline()
		err = g.failure(waiting, end.Sub(came), codes.ResourceExhausted, fmt.Sprintf("%d requests are in hand already", g.places.places))
		g.counts.answer(status.Code(err), waited, 0)
		return nil, nil, err
	}
	return context.WithValue(ctx, arrivalKey{}, arrival{came, waited}), leave, nil
}

// placesOf is how many places a request of some bytes takes: one, or more where it is
// longer than its tensors, as JSON is.
func (g *gateway) placesOf(bytes int64) int {
	place := max(1, tensor.TotalBytes(g.Inputs)+tensor.TotalBytes(g.Outputs))
	return int(min(max(1, (bytes+place-1)/place), int64(g.places.places)))
}

// unheld has a place for everybody.
func unheld(ctx context.Context, _ int64) (context.Context, func(), error) {
	return ctx, func() {}, nil
}

// register serves clients of a gateway, or of a stage alone where there is none.
func (g *gateway) register(server *grpc.Server, service oippb.GRPCInferenceServiceServer) {
	if g == nil {
		oippb.RegisterGRPCInferenceServiceServer(server, service)
		return
	}
	oippb.RegisterHolding(server, service, g.hold, g.timeout())
}

// unread bounds what is taken in of requests without a place.
func (g *gateway) unread() []grpc.ServerOption {
	if g == nil || g.places == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.InitialWindowSize(unreadBytes)}
}
