package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// stage is the middle of a worker: a bounded queue and a goroutine that runs the
// slice. Whoever receives a message puts it into the queue and waits while it is
// full; the next sink has a queue and a goroutine of its own. So receiving,
// inference and sending overlap, and a slow part holds back those before it.
type stage struct {
	name   string // for errors: stage 1 on node.b
	slicer *slicer
	memory *buffers // of what it receives and makes
	in     chan *message
	next   sink
	before upstream
	ended  chan struct{}
	counts *metrics

	failures failureLog
}

func newStage(m Manifest, s *slicer, memory *buffers, name string, log *slog.Logger, counts *metrics) *stage {
	return &stage{
		counts: counts, name: name, slicer: s, memory: memory, failures: failureLog{log: log},
		in: make(chan *message, m.Queue), ended: make(chan struct{}),
	}
}

// put queues a message for the engine.
func (s *stage) put(ctx context.Context, m *message) error {
	m.queued = time.Now()
	select {
	case s.in <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run works through the queue until it is closed. When ctx ends, messages fail
// rather than wait for the next stage.
func (s *stage) run(ctx context.Context) {
	defer close(s.ended)
	for m := range s.in {
		if m.err == nil && !m.gap {
			s.infer(m)
		}
		if m.done != nil {
			m.done(m)
			continue
		}
		id := m.id // the next part owns the message then
		err := s.next.put(ctx, m)
		if err != nil {
			err = status.Errorf(codes.Unavailable, "%s is stopping", s.name)
		}
		s.before.answer(id, err)
	}
}

// infer replaces the message's tensors by the slice's results, or by an error.
func (s *stage) infer(m *message) {
	start := time.Now()
	s.counts.wait.Observe(start.Sub(m.queued).Seconds())
	s.counts.requests.Inc()
	if err := m.late("before the engine of "+s.name, start); err != nil {
		s.counts.failures.Inc()
		m.fail(err)
		return
	}
	out, err := s.slicer.run(m.tensors)
	s.counts.compute.Observe(time.Since(start).Seconds())
	if err != nil {
		s.counts.failures.Inc()
		s.failures.note(time.Now(), m.id, err)
		m.fail(status.Errorf(codes.Internal, "%s: %v", s.name, err))
		return
	}
	s.replace(m, out)
}

// replace gives a message its results, and the memory of what it had before back. What passes through
// stays; where that is not the stage's own memory, nothing of the message is.
func (s *stage) replace(m *message, out []tensor.Tensor) {
	spent := s.slicer.spent(m.tensors)
	for _, t := range spent {
		m.memory.give(t.Data)
	}
	if len(spent) == len(m.tensors) {
		m.memory = s.memory
	}
	m.tensors = out
}

// once runs the slice alone, in turn with the pipeline's own requests.
func (s *stage) once(ctx context.Context, tensors []tensor.Tensor) ([]tensor.Tensor, error) {
	back := make(chan *message, 1)
	m := &message{tensors: tensors, done: func(m *message) { back <- m }}
	m.deadline, _ = ctx.Deadline()
	if err := s.put(ctx, m); err != nil {
		return nil, status.Errorf(status.FromContextError(err).Code(), "the queue of %s is full", s.name)
	}
	select {
	case m = <-back:
		return m.tensors, m.err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// close lets the stage finish what is queued; nobody may put any more. It tells
// whether it did before ctx ended.
func (s *stage) close(ctx context.Context) bool {
	close(s.in)
	select {
	case <-s.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// upstream carries back to those who send to a stage what became of their
// messages: the error of one that comes no further, and nil for one that has
// been handed on.
type upstream struct {
	mu        sync.Mutex
	listeners map[int]func(id string, err error)
	next      int
}

// attach adds a listener, which must not block, and gives what removes it.
func (u *upstream) attach(listener func(id string, err error)) (detach func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.listeners == nil {
		u.listeners = map[int]func(string, error){}
	}
	key := u.next
	u.next++
	u.listeners[key] = listener
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.listeners, key)
	}
}

func (u *upstream) answer(id string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, listener := range u.listeners {
		listener(id, err)
	}
}
