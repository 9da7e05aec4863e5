package worker

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// load opens the engine and runs it once.
func (s *server) load(dir string, open openEngine) error {
	if s.manifest.Gateway != nil {
		s.gateway = newGateway(s.manifest, s.retry, s.metrics)
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
	s.buffers = newBuffers(s.manifest)
	s.engine.Allocate(s.buffers.take)
	s.stage = newStage(s.manifest, slicer, s.buffers, stageTitle(st.Index, s.manifest.Node), s.log, s.metrics)
	s.log.Info("slice loaded", "stage", st.Index, "of", st.Count, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// connect joins the parts: in memory on this node, by links to others.
func (s *server) connect() error {
	m, g, st := s.manifest, s.gateway, s.stage
	if g != nil && g.First.Node == m.Node {
		g.first = handover{wanted: m.Stage.Inputs, to: st}
		st.before.attach(g.answer)
	} else if g != nil {
		l, err := s.linkStage(g.First, 0, g.answer)
		if err != nil {
			return err
		}
		g.first, g.reach = l, l.up
	}
	if st == nil {
		return nil
	}
	if m.Stage.Next.Node == m.Node {
		st.next = handover{wanted: g.Outputs, to: g}
		return nil
	}
	var l *link
	var err error
	if next := m.Stage.Index + 1; next < m.Stage.Count {
		l, err = s.linkStage(m.Stage.Next, next, st.before.answer)
	} else {
		l, err = s.link(m.Stage.Next, &link{component: resultName(m.Model), answer: st.before.answer})
	}
	if err != nil {
		return err
	}
	st.next = l
	return nil
}

func (s *server) linkStage(p Peer, index int, answer func(string, error)) (*link, error) {
	return s.link(p, &link{component: StageName(s.manifest.Model, index), stage: stageTitle(index, p.Node), answer: answer})
}

// stageTitle is what errors call a stage.
func stageTitle(index int, node string) string { return fmt.Sprintf("stage %d on %s", index, node) }

// link fills in and starts a link that knows what it is for.
func (s *server) link(p Peer, l *link) (*link, error) {
	key, err := s.keyOf(p.Node)
	if err != nil {
		return nil, err
	}
	config, err := clientTLS(s.key, key)
	if err != nil {
		return nil, err
	}
	conn, err := dialNeighbour(p, config, neighbourLimit(s.manifest.sends()))
	if err != nil {
		return nil, err
	}
	l.conn, l.peer, l.patience, l.form = conn, p, s.patience, s.manifest.Transfer
	l.from, l.release, l.queue = s.manifest.Node, s.manifest.Release, make(chan *message, s.manifest.Queue)
	l.counts, l.gapFirst = s.metrics, s.restarted
	l.log = s.log.With("peer", p.Node, "address", p.Address)
	s.links = append(s.links, l.start())
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
		answers: inFlight(m), log: s.log, stopping: make(chan struct{}),
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
	options := append(serverOptions(messageLimit(m.receives(), false), 16),
		grpc.MaxRecvMsgSize(neighbourLimit(m.receives())), grpc.Creds(admission{credentials.NewTLS(config)}),
		grpc.ForceServerCodecV2(oippb.NewCodec().Into(s.buffers.take)))
	server := grpc.NewServer(options...)
	oippb.RegisterGRPCInferenceServiceServer(server, s.neighbours)
	return server, nil
}

// entries are the components that other nodes send to.
func (s *server) entries() map[string]entry {
	m, entries := s.manifest, map[string]entry{}
	if st := m.Stage; st != nil && st.Previous.Node != m.Node {
		entries[StageName(m.Model, st.Index)] = entry{from: st.Previous.Node, wanted: st.Inputs, to: s.stage, before: &s.stage.before, memory: s.stage.memory}
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
	server := grpc.NewServer(append(serverOptions(messageLimit(infos, true), inFlight(s.manifest)), s.gateway.unread()...)...)
	s.gateway.register(server, newControl(s.manifest, s.stage, s.gateway))
	server.RegisterService(&inspection, s)
	return server
}
