package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// entry is a component that one neighbour may stream to.
type entry struct {
	from   string // the neighbour's node
	wanted []tensor.Info
	to     sink
	before *upstream     // where errors go back from, or nil
	open   *atomic.Int32 // counts the streams, or nil
	memory *buffers      // where tensors come to lie, or nil
}

// neighbours is the service for other workers: streams of tensors, and nothing
// else.
type neighbours struct {
	oippb.UnimplementedGRPCInferenceServiceServer
	release  string
	node     string
	peers    Peers
	entries  map[string]entry // by component
	answers  int              // how many wait for a sender that is slow to listen
	log      *slog.Logger
	stopping chan struct{}
	readers  sync.WaitGroup
}

// ServerLive answers every caller that got through TLS.
func (n *neighbours) ServerLive(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
	return &oippb.ServerLiveResponse{Live: true}, nil
}

// ModelStreamInfer takes requests in, in their order, and sends back the errors
// of those that come no further, and now and then how far the stage is.
func (n *neighbours) ModelStreamInfer(stream grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]) error {
	key, err := callerKey(stream.Context())
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	mine := n.entriesFor(key)
	if len(mine) == 0 {
		n.log.Warn("stream refused: not a sender to this stage", "key", key)
		return status.Errorf(codes.PermissionDenied, "%s takes no requests from the owner of this key", n.node)
	}
	if err := stream.SendHeader(metadata.Pairs(releaseHeader, n.release)); err != nil {
		return err
	}
	answers := make(chan *oippb.ModelStreamInferResponse, n.answers)
	passed := newProgress()
	answer := func(id string, err error) {
		if err == nil {
			passed.note(id)
			return
		}
		select {
		case answers <- answerMessage(id, err):
		default: // the sender does not listen; the gateway's deadline will tell
		}
	}
	defer attachAll(mine, answer)()
	r := &reader{stream: stream, entries: mine, release: n.release, node: n.node, answer: answer, ended: make(chan error, 1)}
	n.readers.Go(r.run)
	return n.serve(stream, r, answers, passed)
}

func (n *neighbours) serve(stream grpc.ServerStream, r *reader, answers <-chan *oippb.ModelStreamInferResponse, passed progress) error {
	news, quiet := passed, (<-chan time.Time)(nil)
	for {
		select {
		case a := <-answers:
			if err := stream.SendMsg(a); err != nil {
				return err
			}
		case id := <-news:
			if err := stream.SendMsg(progressMessage(id)); err != nil {
				return err
			}
			news, quiet = nil, time.After(progressEvery)
		case <-quiet:
			news, quiet = passed, nil
		case err := <-r.ended:
			return err
		case <-n.stopping:
			r.busy.Lock() // what has been received is queued
			defer r.busy.Unlock()
			stream.SetTrailer(metadata.Pairs(stoppingTrailer, "true"))
			return status.Errorf(codes.Unavailable, "%s is stopping", n.node)
		}
	}
}

// entriesFor are the components that the owner of a key may send to.
func (n *neighbours) entriesFor(key string) map[string]entry {
	mine := map[string]entry{}
	for name, e := range n.entries {
		if n.peers[e.from] == key {
			mine[name] = e
		}
	}
	return mine
}

// attachAll makes answer hear of failures in the entries, and counts the stream.
func attachAll(entries map[string]entry, answer func(string, error)) (detach func()) {
	var undo []func()
	for _, e := range entries {
		if e.before != nil {
			undo = append(undo, e.before.attach(answer))
		}
		if e.open != nil {
			e.open.Add(1)
			undo = append(undo, func() { e.open.Add(-1) })
		}
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// reader receives the requests of one stream.
type reader struct {
	stream        grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]
	entries       map[string]entry
	release, node string
	answer        func(string, error)
	busy          sync.Mutex // held from reception until the message is queued
	ended         chan error
}

// run ends with the stream: nil when the neighbour has closed it.
func (r *reader) run() {
	for {
		request, err := r.stream.Recv()
		if err != nil {
			r.ended <- streamEnd(err)
			return
		}
		r.busy.Lock()
		err = r.take(request)
		r.busy.Unlock()
		if err != nil {
			r.ended <- err
			return
		}
	}
}

func (r *reader) take(request *oippb.ModelInferRequest) error {
	e, ok := r.entries[request.GetModelName()]
	switch {
	case !ok:
		r.answer(request.GetId(), status.Errorf(codes.NotFound, "%s has no %q for this sender", r.node, request.GetModelName()))
		return nil
	case request.GetModelVersion() != r.release:
		r.answer(request.GetId(), status.Errorf(codes.FailedPrecondition, "%s runs release %s, not %q", r.node, r.release, request.GetModelVersion()))
		return nil
	}
	m := parseMessage(request, e.wanted, time.Now())
	m.memory = e.memory
	return e.to.put(r.stream.Context(), m)
}

// streamEnd is what a handler returns for the end of reception: nil when the
// neighbour has closed the stream.
func streamEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
