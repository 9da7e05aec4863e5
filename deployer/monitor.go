package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Health is how a device answered once.
type Health struct {
	// Err is why the device did not answer; nil: it did.
	Err error
	// Workers are what its workers say of themselves, by model.
	Workers map[string]WorkerReport
}

// Monitor asks devices again and again how they are, over SSH connections that stay open.
// A device that hangs does not keep the others from being asked. Close ends it.
type Monitor struct {
	o     Options
	limit time.Duration // for one device to answer
	ctx   context.Context
	end   context.CancelFunc // of ctx

	mu      sync.Mutex
	asking  map[string]bool // devices that have not answered the last question yet
	clients map[workerKey]*workerClient
}

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

// NewMonitor makes a monitor that gives a device so long to answer.
func NewMonitor(limit time.Duration, o Options) *Monitor {
	o = o.withDefaults()
	o.Attempts, o.Progress = 1, nil
	o.DialTimeout = min(o.DialTimeout, 2*limit)
	m := &Monitor{o: o, limit: limit, asking: map[string]bool{}, clients: map[workerKey]*workerClient{}}
	m.ctx, m.end = context.WithCancel(context.Background())
	return m
}

// Close ends the connections to workers; those to devices belong to the options.
func (m *Monitor) Close() {
	m.end()
	m.Rest()
}

// Rest ends the connections to workers until devices are asked again. Each is a session on
// the SSH connection that an apply shares, and a server allows so many (MaxSessions of
// sshd_config(5), 10 unless it says otherwise).
func (m *Monitor) Rest() { m.keep(func(workerKey) bool { return false }) }

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
	for _, client := range unwanted {
		client.close()
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

// errStillAsking is that a device has not even answered the question before.
var errStillAsking = errors.New("it has not answered for a while")

// Ask asks all of some nodes once, and their workers of the deployed models. It takes no
// longer than the limit: who has not answered then is away. A connection that takes longer
// to be made goes on being made, for the next time.
func (m *Monitor) Ask(ctx context.Context, state *statefile.State, nodes map[string]statefile.Node) map[string]Health {
	ctx, cancel := context.WithTimeoutCause(ctx, m.limit, fmt.Errorf("it did not answer within %s", m.limit))
	defer cancel()
	m.keep(deployed(state, nodes))
	type answer struct {
		node   string
		health Health
	}
	answers := make(chan answer, len(nodes))
	result := map[string]Health{}
	waiting := 0
	for node, known := range nodes {
		if !m.begin(node) {
			result[node] = Health{Err: &DeviceError{node, errStillAsking}}
			continue
		}
		waiting++
		go func() {
			defer m.done(node)
			answers <- answer{node, m.ask(state, node, known)}
		}()
	}
	for ; waiting > 0; waiting-- {
		select {
		case a := <-answers:
			result[a.node] = a.health
		case <-ctx.Done():
			for node := range nodes {
				if _, answered := result[node]; !answered {
					result[node] = Health{Err: &DeviceError{node, context.Cause(ctx)}}
				}
			}
			return result
		}
	}
	return result
}

func (m *Monitor) begin(node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asking[node] || m.ctx.Err() != nil {
		return false
	}
	m.asking[node] = true
	return true
}

func (m *Monitor) done(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asking, node)
}

func (m *Monitor) ask(state *statefile.State, node string, known statefile.Node) Health {
	d := newDevice(node, known, m.o)
	defer d.close()
	if err := d.ping(m.ctx, m.limit); err != nil {
		return Health{Err: d.failed(err)}
	}
	ctx, cancel := context.WithTimeoutCause(m.ctx, m.limit/2, fmt.Errorf("its worker did not answer within %s", m.limit/2))
	defer cancel()
	h := Health{Workers: map[string]WorkerReport{}}
	for _, name := range sortedKeys(state.Models) {
		model := state.Models[name]
		for _, part := range pipelineOrder(&model) {
			if part == node {
				h.Workers[name] = m.askWorker(ctx, state, name, &model, node)
			}
		}
	}
	return h
}

// ping waits for any answer of the device's SSH server.
func (d *device) ping(ctx context.Context, limit time.Duration) error {
	l, err := d.connected(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not answer within %s", limit))
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		return l.why(err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// askWorker asks one worker, over the connection of the last time where there is one.
func (m *Monitor) askWorker(ctx context.Context, state *statefile.State, name string, model *statefile.Model, node string) WorkerReport {
	r := WorkerReport{Node: node}
	client, err := m.client(ctx, state, name, model.Release, node)
	if err == nil {
		defer context.AfterFunc(ctx, func() { client.conn.Close() })()
		if r.Ready, err = client.ModelReady(ctx, componentOf(name, model, node), model.Release); err == nil {
			r.Metrics, err = client.Metrics(ctx)
		}
	}
	if err != nil {
		m.drop(workerKey{node, name})
		r.Err = err
		var named *DeviceError
		if !errors.As(err, &named) {
			r.Err = &DeviceError{node, err}
		}
	}
	return r
}

func (m *Monitor) client(ctx context.Context, state *statefile.State, name, release, node string) (*workerClient, error) {
	key := workerKey{node, name}
	m.mu.Lock()
	c := m.clients[key]
	m.mu.Unlock()
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
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ctx.Err(); err != nil {
		c.close()
		return nil, err
	}
	m.clients[key] = c
	return c, nil
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
