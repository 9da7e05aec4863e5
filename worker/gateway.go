package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

const (
	// minInFlight keeps a pipeline of some twenty stages busy; a deeper queue
	// raises it.
	minInFlight = 64
	// minWindowRequests is enough for short pipelines over links that take a while.
	minWindowRequests = 16
	// margin is what the gateway waits beyond the time it gives the stages, so
	// that a stage that drops a late request is heard.
	margin = 250 * time.Millisecond
)

// gateway lets requests into the pipeline and waits for their results.
type gateway struct {
	Gateway
	node    string
	first   sink
	reach   func() error // why requests do not reach the first stage, or nil
	results atomic.Int32 // streams over which results come in
	places  *turns       // for requests in memory; nil is no bound
	slots   *turns       // for requests in the pipeline

	session string // makes ids of this process unlike those of the one before
	count   atomic.Uint64

	retry  time.Duration
	counts *metrics

	mu      sync.Mutex
	pending map[string]*flight // by the id of every attempt
}

func newGateway(m Manifest, retry time.Duration, counts *metrics) *gateway {
	session := make([]byte, 4)
	rand.Read(session)
	return &gateway{
		Gateway: *m.Gateway,
		node:    m.Node,
		reach:   func() error { return nil },
		places:  newPlaces(m),
		slots:   newTurns(window(m)),
		session: hex.EncodeToString(session),
		retry:   retry,
		counts:  counts,
		pending: map[string]*flight{},
	}
}

// inFlight is how many requests may wait on one connection.
func inFlight(m Manifest) int { return max(minInFlight, 4*m.Queue) }

// window is how many requests are in the pipeline at once: what its queues hold, with
// one received, one computed and one sent by each stage. More would only wait where
// nobody can overtake them, so they wait in the gateway, where clients take turns.
func window(m Manifest) int {
	if m.Gateway.Stages == 0 {
		return inFlight(m)
	}
	fits := max(minWindowRequests, (m.Gateway.Stages+1)*(2*m.Queue+3))
	if m.Gateway.Requests > 0 {
		return min(fits, m.Gateway.Requests)
	}
	return fits
}

// infer takes the tensors of Gateway.Inputs through the pipeline and gives those
// of Gateway.Outputs. Errors are statuses.
func (g *gateway) infer(ctx context.Context, tensors []tensor.Tensor) ([]tensor.Tensor, error) {
	f, start := newFlight(clientOf(ctx), tensors), time.Now()
	out, err := g.take(ctx, f)
	g.counts.answer(status.Code(err), waitedFor(ctx)+time.Since(start), len(f.ids))
	return out, err
}

// take lets a request in and waits for its answer.
func (g *gateway) take(ctx context.Context, f *flight) ([]tensor.Tensor, error) {
	limit := g.timeout()
	f.deadline = arrivedAt(ctx).Add(limit)
	if own, ok := ctx.Deadline(); ok && own.Before(f.deadline) {
		limit, f.deadline = time.Until(own), own
	}
	ctx, cancel := context.WithDeadline(ctx, f.deadline.Add(margin))
	defer cancel()
	if g.slots.take(ctx, f.client) != nil {
		return nil, g.failure(ctx, limit, codes.ResourceExhausted, fmt.Sprintf("%d requests are in flight already", g.slots.places))
	}
	defer g.slots.give()
	defer g.forget(f)
	switch m, err := g.fly(ctx, f); {
	case errors.Is(err, errFull):
		return nil, g.failure(ctx, limit, codes.ResourceExhausted, fmt.Sprintf("the first stage, %s at %s, takes no more requests", g.First.Node, g.First.Address))
	case err != nil:
		return nil, g.failure(ctx, limit, codes.DeadlineExceeded, g.silence())
	default:
		return m.tensors, m.err
	}
}

func (g *gateway) timeout() time.Duration {
	return time.Duration(g.TimeoutSeconds * float64(time.Second))
}

// failure is the status of a request that has waited in vain: cancelled by the
// client, or out of time for a reason.
func (g *gateway) failure(ctx context.Context, limit time.Duration, code codes.Code, why string) error {
	if context.Cause(ctx) == context.Canceled {
		return status.Error(codes.Canceled, "the client has gone")
	}
	unit := time.Millisecond
	if limit < unit {
		unit = time.Microsecond
	}
	return status.Errorf(code, "no result within the time of the request, %v: %s", limit.Round(unit), why)
}

// silence says which neighbour has not answered.
func (g *gateway) silence() string {
	if err := g.reach(); err != nil {
		return fmt.Sprintf("%s cannot reach the first stage, %s at %s: %v", g.node, g.First.Node, g.First.Address, reason(err))
	}
	if err := g.resultsReach(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the request went to the first stage, %s at %s, and the last stage, %s at %s, which is connected, has not answered",
		g.First.Node, g.First.Address, g.Last.Node, g.Last.Address)
}

// resultsReach tells why results do not come in, or nil.
func (g *gateway) resultsReach() error {
	if g.Last.Node == g.node || g.results.Load() > 0 {
		return nil
	}
	return fmt.Errorf("the last stage, %s at %s, is not connected to %s", g.Last.Node, g.Last.Address, g.node)
}

// ready tells why the ends of the pipeline are not connected, or nil.
func (g *gateway) ready() error {
	if err := g.reach(); err != nil {
		return err
	}
	return g.resultsReach()
}

func (g *gateway) nextID() string {
	return g.session + "-" + strconv.FormatUint(g.count.Add(1), 10)
}

// put takes a result. It never waits; a result that nobody waits for any more,
// or that came before, is dropped.
func (g *gateway) put(_ context.Context, m *message) error {
	if m.gap {
		g.resend()
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.pending[m.id]
	delete(g.pending, m.id)
	if f != nil {
		f.take(m)
	}
	return nil
}

// answer takes the error of a request that did not get through; nil is only
// progress.
func (g *gateway) answer(id string, err error) {
	if err != nil {
		g.put(context.Background(), &message{id: id, err: err})
	}
}
