package worker

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// No request is lost while the gateway lives. What a dying worker had in hand is
// made good from the gateway, which keeps a request until its result is there:
//
//   - A message that a stage could not hand on, or had not when its connection
//     broke, comes back as an error (unanswered.go), and is sent again.
//   - What a stage had in its queues towards the next one dies with it unseen. So
//     every stream but the first of a worker's first run begins with a gap, a message
//     that goes down the line behind all that got through before; when it reaches the
//     gateway, every request without a result is sent again.
//
// So a request may be computed more than once, which does no harm: inference has
// no side effects, and the first result counts.

const (
	// defaultRetry is how long a request is tried again after its first failure:
	// longer than a worker takes to come back and load its slice, short enough to
	// tell the client while somebody is still looking.
	defaultRetry = 30 * time.Second
	// retryPause lies between a failure and the next attempt.
	retryPause = 50 * time.Millisecond
)

// errFull says that a request never got into the pipeline.
var errFull = errors.New("the first stage takes no more requests")

// flight is a request on its way, in one or more attempts.
type flight struct {
	client   string
	tensors  []tensor.Tensor
	deadline time.Time
	back     chan *message // the first result or failure that nobody has looked at yet
	again    chan struct{} // an attempt may be lost

	ids []string // of the attempts
}

func newFlight(client string, tensors []tensor.Tensor) *flight {
	return &flight{client: client, tensors: tensors, back: make(chan *message, 1), again: make(chan struct{}, 1)}
}

// take keeps a result, or a failure where there is no result. It never waits;
// one caller at a time.
func (f *flight) take(m *message) {
	if m.err == nil {
		select {
		case <-f.back:
		default:
		}
	}
	select {
	case f.back <- m:
	default:
	}
}

// fly sends a request until there is an answer that another attempt would not
// change. It gives errFull or the context's error when there is none in time.
func (g *gateway) fly(ctx context.Context, f *flight) (*message, error) {
	m, err := g.attempt(ctx, f)
	if err != nil || status.Code(m.err) != codes.Unavailable {
		return m, err
	}
	again, cancel := context.WithTimeout(ctx, g.retry)
	defer cancel()
	for first := m.err; ; {
		select {
		case <-time.After(retryPause):
		case <-again.Done():
		}
		m, err := g.attempt(again, f)
		switch {
		case err != nil && ctx.Err() == nil:
			return &message{err: givenUp(first, len(f.ids), g.retry)}, nil
		case err != nil || status.Code(m.err) != codes.Unavailable:
			return m, err
		}
	}
}

// attempt puts a request into the pipeline under an id of its own, again after a
// gap, and waits for what becomes of it or of an attempt before.
func (g *gateway) attempt(ctx context.Context, f *flight) (*message, error) {
	for {
		m := &message{id: g.nextID(), deadline: f.deadline, tensors: f.tensors}
		g.expect(m.id, f)
		if err := g.first.put(ctx, m); err != nil {
			if len(f.ids) == 1 {
				return nil, errFull
			}
			return nil, err
		}
		select {
		case m := <-f.back:
			return m, nil
		case <-f.again:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// givenUp is the failure of a request that was tried again in vain.
func givenUp(first error, attempts int, retry time.Duration) error {
	s := status.Convert(first)
	return status.Errorf(s.Code(), "%s (tried %d times in %v)", s.Message(), attempts, retry)
}

func (g *gateway) expect(id string, f *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending[id] = f
	f.ids = append(f.ids, id)
}

// resend has every request without a result sent again.
func (g *gateway) resend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.pending {
		select {
		case f.again <- struct{}{}:
		default:
		}
	}
}

// forget ends all attempts of a request.
func (g *gateway) forget(f *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range f.ids {
		delete(g.pending, id)
	}
}
