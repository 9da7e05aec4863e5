package worker

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/edgeplan/edgeplan/internal/version"
)

// Options of Run.
type Options struct {
	// Key is the file of the device's key; empty is KeyPath of the folder.
	Key string
	// Log gets the structured log, as text; nil is standard output.
	Log io.Writer

	open     openEngine    // nil is ONNX Runtime
	patience time.Duration // of links; 0 is defaultPatience
	retry    time.Duration // of the gateway; 0 is defaultRetry
}

// grace is what requests in flight get when the worker stops.
const grace = 5 * time.Second

// server is a running worker.
type server struct {
	manifest   Manifest
	peers      Peers
	key        ed25519.PrivateKey
	log        *slog.Logger
	engine     engine
	buffers    *buffers // of the stage's tensors
	patience   time.Duration
	retry      time.Duration
	restarted  bool // a worker of this release ran here before
	metrics    *metrics
	stage      *stage
	gateway    *gateway
	links      []*link
	front      *front // nil without access for clients
	neighbours *neighbours
	tls, unix  *grpc.Server
}

// Run serves the release in a folder until ctx ends. It then takes no new
// requests, finishes those in flight within 5 seconds, and returns nil. It
// returns an error that wraps ErrRunning when a worker runs there already.
func Run(ctx context.Context, dir string, o Options) error {
	lock, restarted, err := takeLock(ctx, dir, LockFile)
	if err != nil {
		return err
	}
	defer lock.Close()
	if o.Log == nil {
		o.Log = os.Stdout
	}
	if err := awaitCall(ctx, dir, o.Log); err != nil || ctx.Err() != nil {
		return err
	}
	s, err := newServer(dir, restarted, o)
	if err != nil {
		return err
	}
	defer s.release()
	tcp, control, err := s.listen(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched, stopWatching := context.WithCancel(context.Background()) // while it stops, too
	defer stopWatching()
	if m := s.manifest; m.Stage == nil && m.MemoryBytes > 0 {
		debug.SetMemoryLimit(m.MemoryBytes) // garbage is collected sooner; an engine's memory is not Go's
	}
	if s.buffers != nil {
		debug.SetGCPercent(s.buffers.gcPercent())
	}
	go watchMemory(watched, s.manifest.MemoryLimit(), s.log, cancel)
	err = s.serve(ctx, tcp, control)
	if cause := context.Cause(ctx); errors.Is(cause, ErrMemory) {
		err = errors.Join(cause, err)
	}
	return err
}

// newServer reads the folder and loads the engine.
func newServer(dir string, restarted bool, o Options) (*server, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	peers, err := ReadPeers(dir)
	if err != nil {
		return nil, err
	}
	if o.Key == "" {
		if o.Key, err = KeyPath(dir); err != nil {
			return nil, err
		}
	}
	key, err := EnsureKey(o.Key)
	if err != nil {
		return nil, err
	}
	if known, ok := peers[m.Node]; ok && known != PublicKey(key) {
		return nil, fmt.Errorf("the key of this device is not the one in %s: it was made anew, and the neighbours would refuse it; apply again", PeersFile)
	}
	log := slog.New(slog.NewTextHandler(boundLog(o.Log, dir), nil)).With("model", m.Model, "release", m.Release, "node", m.Node)
	s := &server{manifest: m, peers: peers, key: key, log: log, patience: cmp.Or(o.patience, defaultPatience), retry: cmp.Or(o.retry, defaultRetry), restarted: restarted, metrics: newMetrics(m)}
	if err := s.load(dir, o.open); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		return s, err
	}
	s.metrics.queues(m, s.stage, s.gateway, s.links)
	s.metrics.supervised(m, cmp.Or(readMark(dir).Supervision, Unregistered))
	s.front, err = newFront(s, dir)
	return s, err
}

// serve runs until ctx ends or a listener fails, and then stops in order.
func (s *server) serve(ctx context.Context, tcp, control net.Listener) error {
	hard, kill := context.WithCancel(context.Background())
	defer kill()
	if s.stage != nil {
		go s.stage.run(hard)
	}
	var group errgroup.Group
	failed, fail := context.WithCancelCause(ctx)
	serve := func(server *grpc.Server, l net.Listener) {
		group.Go(func() error {
			err := server.Serve(l)
			fail(err)
			return err
		})
	}
	serve(s.tls, tcp)
	serve(s.unix, control)
	s.log.Info("ready", "version", version.Version, "listen", tcp.Addr().String(), "pid", os.Getpid())
	closeFront := s.front.start()
	<-failed.Done()
	s.log.Info("stopping")
	closeFront()
	s.stop(kill)
	err := group.Wait()
	s.log.Info("stopped")
	return err
}

// stop ends the worker from its front to its back, so that each part finishes
// what the one before it has handed over.
func (s *server) stop(kill func()) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	hard := context.AfterFunc(ctx, func() {
		kill()
		s.unix.Stop()
		s.tls.Stop()
	})
	defer hard()
	s.unix.GracefulStop() // waits for the operator's requests, so results must still come in
	close(s.neighbours.stopping)
	s.tls.GracefulStop()
	s.neighbours.readers.Wait()
	if s.stage != nil && !s.stage.close(ctx) {
		s.engine = nil // still at work: it ends with the process
	}
	for _, l := range s.links {
		l.close(ctx)
	}
	s.links = nil
}

// release gives back what serve has not.
func (s *server) release() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, l := range s.links {
		l.close(ended)
	}
	if s.engine != nil {
		s.engine.Close()
	}
}
