package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// connect opens a stream again and again until the link closes.
func (l *link) connect(ctx context.Context) {
	for {
		stream, err := l.open(ctx)
		if err == nil {
			err = l.listen(stream)
		}
		if l.lost(stream, err) || ctx.Err() != nil {
			return
		}
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
		}
	}
}

// open gives a stream that the neighbour has accepted.
func (l *link) open(ctx context.Context) (inferStream, error) {
	stream, err := oippb.NewGRPCInferenceServiceClient(l.conn).ModelStreamInfer(ctx)
	if err != nil {
		return nil, err
	}
	header, err := stream.Header()
	if err != nil {
		return nil, err
	}
	release := header.Get(releaseHeader)
	if len(release) == 0 { // refused: the status says why
		if _, err = stream.Recv(); err == nil {
			err = errors.New("it is no worker of edgeplan")
		}
		return nil, err
	}
	if release[0] != l.release {
		stream.CloseSend()
		return nil, fmt.Errorf("it runs release %s, not %s", release[0], l.release)
	}
	l.log.Info("connected")
	l.counts.connects.WithLabelValues(l.peer.Node).Inc()
	l.change(func() {
		l.stream, l.cause = stream, nil
		l.met, l.warned = true, false
		l.gapDue, l.gapFirst = l.gapDue || l.gapFirst, true
		if l.closing {
			stream.CloseSend()
		}
	})
	l.signalGap()
	return stream, nil
}

// listen passes on the errors that come back, and notes progress, until the
// stream ends.
func (l *link) listen(stream inferStream) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		id := response.GetInferResponse().GetId()
		if response.GetErrorMessage() == "" {
			l.note(func() { l.sent.passed(id) })
			continue
		}
		l.note(func() { l.sent.failed(id) })
		l.answer(id, parseAnswer(response))
	}
}

func (l *link) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// lost notes that a stream has ended or did not come to be, and tells whether
// the link is closing. What the neighbour has taken is lost with it, unless it
// stops in order.
func (l *link) lost(stream inferStream, cause error) (closing bool) {
	var ids []string
	l.change(func() {
		closing = l.closing
		if l.stream != nil && l.stream != stream {
			return // a newer one is in use
		}
		if !closing {
			l.logLoss(cause)
		}
		l.stream, l.cause = nil, cause
		ids = l.sent.lost()
	})
	if closing || orderly(stream) {
		return closing
	}
	for _, id := range ids {
		l.answer(id, status.Errorf(codes.Unavailable, "%s does not answer: %s lost the connection to %s: %v", l.stage, l.from, l.peer.Address, reason(cause)))
	}
	return closing
}

// logLoss says why there is no stream, once for each reason. Workers of a release start
// side by side, so it is nothing to warn of that a neighbour is not there at first.
func (l *link) logLoss(cause error) {
	news := l.cause == nil || reason(l.cause).Error() != reason(cause).Error()
	switch starting := !l.met && time.Since(l.begun) < firstMeeting; {
	case starting && news:
		l.log.Info("waiting for the neighbour", "reason", reason(cause))
	case !starting && (news || !l.warned):
		l.log.Warn("not connected", "error", reason(cause))
		l.warned = true
	}
}

func (l *link) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}
