package deployer

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// errRests is that a connection came about too late to be wanted.
var errRests = errors.New("it was not asked any more")

type workerKey struct{ node, model string }

// workerClient is a connection to the worker of one release.
type workerClient struct {
	release string
	conn    net.Conn
	*worker.Client
}

func (c *workerClient) close() {
	c.Client.Close()
	c.conn.Close()
}

// Rest ends the connections to workers until devices are asked again. Each is a session on
// the SSH connection that an apply shares, and a server allows so many (MaxSessions of
// sshd_config(5), 10 unless it says otherwise).
func (m *Monitor) Rest() {
	m.mu.Lock()
	m.rests++
	m.mu.Unlock()
	m.keep(func(workerKey) bool { return false })
}

// keep ends the connections to workers that are not wanted.
func (m *Monitor) keep(wanted func(workerKey) bool) {
	m.mu.Lock()
	var unwanted []*workerClient
	for key, client := range m.clients {
		if !wanted(key) {
			unwanted = append(unwanted, client)
			delete(m.clients, key)
		}
	}
	m.mu.Unlock()
	closeAll(unwanted)
}

// closeTime is enough for a device that answers to end a session. For one that does not,
// nobody waits: it may take until its connection is given up.
const closeTime = time.Second

func closeAll(clients []*workerClient) {
	var closing sync.WaitGroup
	for _, client := range clients {
		closing.Go(client.close)
	}
	closed := make(chan struct{})
	go func() {
		closing.Wait()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closeTime):
	}
}

// deployed says whether a worker is one of a state, on one of some nodes.
func deployed(state *statefile.State, nodes map[string]statefile.Node) func(workerKey) bool {
	return func(key workerKey) bool {
		model, found := state.Models[key.model]
		_, known := nodes[key.node]
		return found && known && slices.Contains(pipelineOrder(&model), key.node)
	}
}

// client gives a connection to a worker, for a question that was asked after so many rests.
func (m *Monitor) client(ctx context.Context, state *statefile.State, name, release, node string, rests int) (*workerClient, error) {
	key := workerKey{node, name}
	m.mu.Lock()
	c, now := m.clients[key], m.rests
	m.mu.Unlock()
	if now != rests {
		return nil, errRests
	}
	if c != nil && c.release == release {
		return c, nil
	}
	m.drop(key)
	conn, err := DialWorker(ctx, state, name, node, m.o)
	if err != nil {
		return nil, err
	}
	client, err := worker.NewClient(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	c = &workerClient{release: release, conn: conn, Client: client}
	return c, m.hold(key, c, rests)
}

// hold keeps a connection for the next question, and ends one that came about too late.
func (m *Monitor) hold(key workerKey, c *workerClient, rests int) error {
	m.mu.Lock()
	late := m.rests != rests
	if !late {
		m.clients[key] = c
	}
	m.mu.Unlock()
	if late {
		c.close()
		return errRests
	}
	return nil
}

func (m *Monitor) restsSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rests
}

func (m *Monitor) drop(key workerKey) {
	m.mu.Lock()
	c := m.clients[key]
	delete(m.clients, key)
	m.mu.Unlock()
	if c != nil {
		c.close()
	}
}
