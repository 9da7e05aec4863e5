package worker

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/edgeplan/edgeplan/internal/oippb"
	"github.com/edgeplan/edgeplan/internal/version"
)

// Options of Run.
type Options struct {
	// Key is the file of the device's key; empty is KeyPath of the folder.
	Key string
	// Log gets the structured log, as text; nil is standard output.
	Log io.Writer

	open openEngine // nil is ONNX Runtime
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
	stage      *stage
	gateway    *gateway
	links      []*link
	neighbours *neighbours
	tls, unix  *grpc.Server
}

// Run serves the release in a folder until ctx ends. It then takes no new
// requests, finishes those in flight within 5 seconds, and returns nil. It
// returns an error that wraps ErrRunning when a worker runs there already.
func Run(ctx context.Context, dir string, o Options) error {
	lock, err := takeLock(ctx, dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := newServer(dir, o)
	if err != nil {
		return err
	}
	defer s.release()
	tcp, control, err := s.listen(dir)
	if err != nil {
		return err
	}
	return s.serve(ctx, tcp, control)
}

// newServer reads the folder and loads the engine.
func newServer(dir string, o Options) (*server, error) {
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
	if o.Log == nil {
		o.Log = os.Stdout
	}
	log := slog.New(slog.NewTextHandler(o.Log, nil)).With("model", m.Model, "release", m.Release, "node", m.Node)
	s := &server{manifest: m, peers: peers, key: key, log: log}
	if err := s.load(dir, o.open); err != nil {
		return nil, err
	}
	return s, s.connect()
}

// load opens the engine and runs it once.
func (s *server) load(dir string, open openEngine) error {
	if s.manifest.Gateway != nil {
		s.gateway = newGateway(s.manifest)
	}
	st := s.manifest.Stage
	if st == nil {
		return nil
	}
	if open == nil {
		open = openONNXRuntime
	}
	start := time.Now()
	var err error
	if s.engine, err = open(dir, *st); err != nil {
		return fmt.Errorf("cannot load the slice of stage %d: %w", st.Index, err)
	}
	slicer, err := newSlicer(s.engine, *st)
	if err != nil {
		return err
	}
	if err := slicer.warmUp(); err != nil {
		s.log.Warn("no warm-up: the first request will be slower", "error", err)
	}
	s.stage = newStage(s.manifest, slicer, fmt.Sprintf("stage %d on %s", st.Index, s.manifest.Node), s.log)
	s.log.Info("slice loaded", "stage", st.Index, "of", st.Count, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// connect joins the parts: in memory on this node, by links to others.
func (s *server) connect() error {
	m, g, st := s.manifest, s.gateway, s.stage
	if g != nil && g.First.Node == m.Node {
		g.first = st
		st.before.attach(g.answer)
	} else if g != nil {
		l, err := s.link(g.First, stageName(m.Model, 0), g.answer)
		if err != nil {
			return err
		}
		g.first, g.reach = l, l.up
	}
	if st == nil {
		return nil
	}
	if m.Stage.Next.Node == m.Node {
		st.next = g
		return nil
	}
	component := resultName(m.Model)
	if m.Stage.Index+1 < m.Stage.Count {
		component = stageName(m.Model, m.Stage.Index+1)
	}
	l, err := s.link(m.Stage.Next, component, st.before.answer)
	if err == nil {
		st.next = l
	}
	return err
}

func (s *server) link(p Peer, component string, answer func(string, error)) (*link, error) {
	key, err := s.keyOf(p.Node)
	if err != nil {
		return nil, err
	}
	config, err := clientTLS(s.key, key)
	if err != nil {
		return nil, err
	}
	infos := s.manifest.sends()
	conn, err := dialNeighbour(p, config, messageLimit(infos, false))
	if err != nil {
		return nil, err
	}
	l := newLink(conn, s.manifest.Node, component, s.manifest, p, s.log, answer)
	s.links = append(s.links, l)
	return l, nil
}

func (s *server) keyOf(node string) (ed25519.PublicKey, error) {
	text, ok := s.peers[node]
	if !ok {
		return nil, fmt.Errorf("%s has no key for the neighbour %s: apply again", PeersFile, node)
	}
	return ParsePublicKey(text)
}

// listen opens both sockets and makes their servers. The control socket comes
// last: that it answers means that the worker is ready.
func (s *server) listen(dir string) (tcp, control net.Listener, err error) {
	if s.tls, err = s.tlsServer(); err != nil {
		return nil, nil, err
	}
	s.unix = s.controlServer()
	if tcp, err = listenTCP(s.manifest.Listen); err != nil {
		return nil, nil, err
	}
	if control, err = listenControl(dir); err != nil {
		return nil, nil, errors.Join(err, tcp.Close())
	}
	return tcp, control, nil
}

func (s *server) tlsServer() (*grpc.Server, error) {
	m := s.manifest
	s.neighbours = &neighbours{
		release: m.Release, node: m.Node, peers: s.peers, entries: s.entries(),
		log: s.log, stopping: make(chan struct{}),
	}
	var keys []ed25519.PublicKey
	for _, name := range sortedKeys(s.neighbours.entries) {
		key, err := s.keyOf(s.neighbours.entries[name].from)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	config, err := serverTLS(s.key, keys)
	if err != nil {
		return nil, err
	}
	options := append(serverOptions(messageLimit(m.receives(), false), 16), grpc.Creds(credentials.NewTLS(config)))
	server := grpc.NewServer(options...)
	oippb.RegisterGRPCInferenceServiceServer(server, s.neighbours)
	return server, nil
}

// entries are the components that other nodes send to.
func (s *server) entries() map[string]entry {
	m, entries := s.manifest, map[string]entry{}
	if st := m.Stage; st != nil && st.Previous.Node != m.Node {
		entries[stageName(m.Model, st.Index)] = entry{from: st.Previous.Node, wanted: st.Inputs, to: s.stage, before: &s.stage.before}
	}
	if g := m.Gateway; g != nil && g.Last.Node != m.Node {
		entries[resultName(m.Model)] = entry{from: g.Last.Node, wanted: g.Outputs, to: s.gateway, open: &s.gateway.results}
	}
	return entries
}

func (s *server) controlServer() *grpc.Server {
	infos := s.manifest.receives()
	if s.manifest.Gateway != nil {
		infos = append(infos, s.manifest.Gateway.Inputs...)
	}
	server := grpc.NewServer(serverOptions(messageLimit(infos, true), inFlight(s.manifest))...)
	oippb.RegisterGRPCInferenceServiceServer(server, newControl(s.manifest, s.stage, s.gateway))
	return server
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
	<-failed.Done()
	s.log.Info("stopping")
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
