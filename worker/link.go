package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

const (
	// defaultPatience is how long a message waits for a neighbour that is away: longer
	// than a restart takes, short enough to tell the client while it is still
	// there.
	defaultPatience = 3 * time.Second
	// retryEvery is the pause between two attempts to open a stream; with the
	// connection's own backoff a neighbour is found again within a second.
	retryEvery = 150 * time.Millisecond
	// firstMeeting is how long a neighbour may take to be there first: it loads an engine
	// and a model.
	firstMeeting = 30 * time.Second
)

// releaseHeader is sent by whoever takes a stream, so that the caller knows
// before the first tensor that the other side runs the same release.
const releaseHeader = "edgeplan-release"

type inferStream = grpc.BidiStreamingClient[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]

// link sends messages to a neighbour: a bounded queue, a goroutine that sends,
// and one that keeps a stream open and hears what comes back on it.
type link struct {
	from, component, release string
	peer                     Peer
	form                     transfer.Form // how tensors travel
	stage                    string        // what is there, for errors: stage 1 on node.b; "" is the gateway
	conn                     *grpc.ClientConn
	log                      *slog.Logger
	counts                   *metrics
	patience                 time.Duration // how long a message waits for the neighbour
	// answer gets the errors of messages that could not be sent, and those that
	// the neighbour sends back.
	answer func(id string, err error)

	queue  chan *message
	gaps   chan struct{} // says that gapDue may be set while there is a stream
	ending chan struct{} // closed when nothing is taken any more; a stage that hangs may still come with something
	done   sync.WaitGroup
	stop   context.CancelFunc

	mu       sync.Mutex
	stream   inferStream // nil while there is none
	sent     unanswered  // on the stream; not to the gateway, which hands nothing on
	cause    error       // why there is none
	begun    time.Time   // when it was started
	met      bool        // there was one before
	warned   bool        // since there was one
	closing  bool
	gapDue   bool          // the neighbour is still to hear of a gap
	gapFirst bool          // the next stream begins with a gap
	changed  chan struct{} // closed when there is a stream, or none any more
}

// start makes a link work that has everything above the lock. It is up to the
// caller to close it.
func (l *link) start() *link {
	ctx, stop := context.WithCancel(context.Background())
	l.stop, l.cause, l.changed, l.begun = stop, errors.New("not connected yet"), make(chan struct{}), time.Now()
	l.gaps, l.ending = make(chan struct{}, 1), make(chan struct{})
	l.done.Go(func() { l.connect(ctx) })
	l.done.Go(func() { l.sendAll(ctx) })
	return l
}

// put queues a message. A gap does not queue: it never waits, and is not lost
// while the neighbour is away.
func (l *link) put(ctx context.Context, m *message) error {
	if m.gap {
		l.note(func() { l.gapDue = true })
		l.signalGap()
		return nil
	}
	m.patience = time.Now().Add(l.patience)
	select {
	case l.queue <- m:
		return nil
	case <-l.ending:
		return errors.New("the worker is stopping")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// up tells why there is no stream to the neighbour, or nil.
func (l *link) up() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream != nil {
		return nil
	}
	return l.cause
}

// close sends what is queued until ctx ends. Whoever puts more may be told that it is too late,
// or nothing.
func (l *link) close(ctx context.Context) {
	close(l.ending)
	ended := context.AfterFunc(ctx, l.stop)
	l.done.Wait()
	ended()
	l.stop()
	l.conn.Close()
}

func (l *link) sendAll(ctx context.Context) {
	for m := range l.queued {
		if err := l.send(ctx, m); err != nil {
			l.answer(m.id, err)
		}
	}
	l.change(func() {
		l.closing = true
		if l.stream != nil {
			l.stream.CloseSend()
		}
	})
}

// queued yields messages until the link ends and none is left, and sends gaps meanwhile.
func (l *link) queued(yield func(*message) bool) {
	for ending := l.ending; ; {
		select {
		case <-l.gaps:
			l.sendGap()
		case m := <-l.queue:
			if !yield(m) {
				return
			}
		case <-ending:
			ending = nil
		}
		if ending == nil && len(l.queue) == 0 {
			return
		}
	}
}

// send gives a message to the neighbour, again when the stream breaks under it:
// it may then arrive twice, which does no harm, as inference has no side effects.
func (l *link) send(ctx context.Context, m *message) error {
	lent := m.lend() // the connection may send it yet when this is over
	defer mem.BufferSlice(lent).Free()
	for {
		stream, err := l.await(ctx, m)
		if err != nil {
			return err
		}
		l.begin(m.id)
		start := time.Now()
		request := m.request(l.component, l.release, l.form, start)
		err = stream.SendMsg(&oippb.Lent{ModelInferRequest: request, Contents: lent})
		l.count(request.GetRawInputContents(), time.Since(start))
		if l.end(stream, err == nil) {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) { // not the stream's fault
			return err
		}
	}
}

func (l *link) count(contents [][]byte, took time.Duration) {
	var bytes int
	for _, c := range contents {
		bytes += len(c)
	}
	l.counts.sentBytes.WithLabelValues(l.peer.Node).Add(float64(bytes))
	l.counts.transfer.WithLabelValues(l.peer.Node).Observe(took.Seconds())
}

func (l *link) signalGap() {
	select {
	case l.gaps <- struct{}{}:
	default:
	}
}

// sendGap tells the neighbour of a gap, or leaves it to the next stream.
func (l *link) sendGap() {
	l.mu.Lock()
	stream, due := l.stream, l.gapDue
	if stream != nil {
		l.gapDue = false
	}
	l.mu.Unlock()
	if stream == nil || !due {
		return
	}
	if err := stream.Send((&message{gap: true}).request(l.component, l.release, l.form, time.Now())); err != nil {
		l.note(func() { l.gapDue = true })
	}
}

func (l *link) begin(id string) {
	if l.stage != "" {
		l.note(func() { l.sent.begin(id) })
	}
}

// end tells whether a message is with the neighbour: neither did its sending
// fail nor the stream break meanwhile. A broken stream is not used again; why it
// broke, lost will tell.
func (l *link) end(stream inferStream, sent bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent = sent && l.stream == stream
	l.sent.end(sent)
	if !sent && l.stream == stream {
		l.stream, l.cause = nil, errors.New("the connection was lost")
	}
	return sent
}

// await gives an open stream, unless the message's time or patience is over.
func (l *link) await(ctx context.Context, m *message) (inferStream, error) {
	if m.err == nil {
		if err := m.late("before sending to "+l.peer.Node, time.Now()); err != nil {
			return nil, err
		}
	}
	limit := m.patience
	if !m.deadline.IsZero() && m.deadline.Before(limit) {
		limit = m.deadline
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	for {
		l.mu.Lock()
		stream, cause, changed := l.stream, l.cause, l.changed
		l.mu.Unlock()
		if stream != nil {
			return stream, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, l.unreachable(m, cause)
		case <-ctx.Done():
			return nil, l.unreachable(m, cause)
		}
	}
}

func (l *link) unreachable(m *message, cause error) error {
	if m.err != nil {
		return m.err // what went wrong first says more
	}
	return status.Errorf(codes.Unavailable, "%s cannot reach %s at %s: %v", l.from, l.peer.Node, l.peer.Address, reason(cause))
}
