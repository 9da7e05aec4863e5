package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
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
	rests   int // how often all connections to workers were ended
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

// errStillAsking is that a device has not even answered the question before.
var errStillAsking = errors.New("it has not answered for a while")

// Ask asks all of some nodes once, and their workers of the deployed models. It takes no
// longer than the limit: who has not answered then is away. A connection that takes longer
// to be made goes on being made, for the next time.
func (m *Monitor) Ask(ctx context.Context, state *statefile.State, nodes map[string]statefile.Node) map[string]Health {
	m.keep(deployed(state, nodes))
	return m.askAll(ctx, state, nodes)
}

// AskOne asks one node, and leaves the connections to the others as they are.
func (m *Monitor) AskOne(ctx context.Context, state *statefile.State, node string, known statefile.Node) Health {
	return m.askAll(ctx, state, map[string]statefile.Node{node: known})[node]
}

func (m *Monitor) askAll(ctx context.Context, state *statefile.State, nodes map[string]statefile.Node) map[string]Health {
	ctx, cancel := context.WithTimeoutCause(ctx, m.limit, fmt.Errorf("it did not answer within %s", m.limit))
	defer cancel()
	rests := m.restsSoFar()
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
			answers <- answer{node, m.ask(state, node, known, rests)}
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

func (m *Monitor) ask(state *statefile.State, node string, known statefile.Node, rests int) Health {
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
				h.Workers[name] = m.askWorker(ctx, state, name, &model, node, rests)
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
func (m *Monitor) askWorker(ctx context.Context, state *statefile.State, name string, model *statefile.Model, node string, rests int) WorkerReport {
	r := WorkerReport{Node: node}
	client, err := m.client(ctx, state, name, model.Release, node, rests)
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
