package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// cluster is a pipeline of workers in this process, which talk over TLS on
// 127.0.0.1 and have fake engines.
type cluster struct {
	t         testing.TB
	manifests []Manifest // of stage i; a gateway of its own comes last
	engines   []*fakeEngine
	wrapped   map[int]engine // what runs instead of an engine
	workers   []*testWorker
	log       *lockedBuffer
	patience  time.Duration
	retry     time.Duration
}

// testWorker is one running worker.
type testWorker struct {
	dir  string
	stop func() error
}

// onceOnly makes the gateway try a request again for no time at all.
const onceOnly = time.Nanosecond

const (
	testModel   = "toy"
	testRelease = "0123456789ab"
)

// shape of the test: how many stages, where the gateway is (a stage's index, or
// the number of stages for a node of its own), and what flows.
type layout struct {
	stages, gateway int
	elements        int64
	queue           int
	timeout         float64
	patience        time.Duration
	retry           time.Duration // of the gateway; onceOnly for none
}

// newCluster writes the folders; start starts the workers.
func newCluster(t testing.TB, l layout) *cluster {
	t.Helper()
	if l.elements == 0 {
		l.elements = 8
	}
	if l.queue == 0 {
		l.queue = 2
	}
	if l.timeout == 0 {
		l.timeout = 10
	}
	checkGoroutines(t)
	c := &cluster{t: t, log: &lockedBuffer{}, patience: l.patience, retry: l.retry}
	c.describe(l)
	root := shortTempDir(t)
	peers := Peers{}
	for i, m := range c.manifests {
		dir := filepath.Join(root, fmt.Sprint(i), "d", "releases", "r")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		keyPath, err := KeyPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		key, err := EnsureKey(keyPath)
		if err != nil {
			t.Fatal(err)
		}
		peers[m.Node] = PublicKey(key)
		c.engines = append(c.engines, newFakeEngine(m.Stage))
		c.workers = append(c.workers, &testWorker{dir: dir})
	}
	for i := range c.workers {
		c.write(i, ManifestFile, c.manifests[i])
		c.write(i, PeersFile, peers)
	}
	return c
}

func (c *cluster) describe(l layout) {
	peer := func(i int) Peer { return Peer{Node: fmt.Sprintf("node.n%d", i), Address: porttest.Address(c.t)} }
	var at []Peer
	for i := range max(l.stages, l.gateway+1) {
		at = append(at, peer(i))
	}
	wrap := func(i int) Peer {
		if i < 0 || i >= l.stages {
			return at[l.gateway]
		}
		return at[i]
	}
	for i, p := range at {
		m := Manifest{FormatVersion: 1, Model: testModel, Release: testRelease, Node: p.Node, Listen: p.Address, Queue: l.queue}
		if i < l.stages {
			m.Stage = &Stage{
				Index: i, Count: l.stages, Optimization: "all", Previous: wrap(i - 1), Next: wrap(i + 1),
				Inputs: cut(i, l.elements), Outputs: cut(i+1, l.elements),
			}
		}
		if i == l.gateway {
			m.Gateway = &Gateway{
				Inputs: cut(0, l.elements), Outputs: cut(l.stages, l.elements),
				First: at[0], Last: at[l.stages-1], TimeoutSeconds: l.timeout,
			}
		}
		c.manifests = append(c.manifests, m)
	}
}

// cut i carries the tensor that stage i-1 has made, and one that passes through
// the whole pipeline.
func cut(i int, elements int64) []tensor.Info {
	return []tensor.Info{
		{Name: fmt.Sprintf("t%d", i), Type: tensor.Uint8, Shape: []int64{elements}},
		{Name: "skip", Type: tensor.Int64, Shape: []int64{}},
	}
}

// request has the first element set and the same number in the tensor that
// passes through.
func request(elements int64, number byte) []tensor.Tensor {
	in := []tensor.Tensor{{Info: cut(0, elements)[0], Data: make([]byte, elements)}, {Info: cut(0, elements)[1], Data: make([]byte, 8)}}
	in[0].Data[0], in[1].Data[0] = number, number
	return in
}

func (c *cluster) write(i int, name string, v any) {
	c.t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.workers[i].dir, name), data, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// start starts all workers and waits until each is ready.
func (c *cluster) start() *cluster {
	c.t.Helper()
	for i := range c.workers {
		c.startOne(i)
	}
	c.t.Cleanup(func() {
		for i := range c.workers {
			c.stopOne(i)
		}
		if c.t.Failed() {
			c.t.Logf("log of the workers:\n%s", c.log)
		}
	})
	return c
}

func (c *cluster) startOne(i int) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var e engine = c.engines[i]
	if other, ok := c.wrapped[i]; ok {
		e = other
	}
	o := Options{Log: c.log, patience: c.patience, retry: c.retry, open: func(string, Stage) (engine, error) { return e, nil }}
	go func() { ended <- Run(ctx, c.workers[i].dir, o) }()
	c.workers[i].stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	for range 2000 {
		if status, err := ReadStatus(c.workers[i].dir); err == nil && status.Ready {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			c.t.Fatalf("worker %d ended: %v\n%s", i, err, c.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	c.t.Fatalf("worker %d is not ready", i)
}

func (c *cluster) stopOne(i int) {
	c.t.Helper()
	if c.workers[i].stop == nil {
		return
	}
	if err := c.workers[i].stop(); err != nil {
		c.t.Errorf("worker %d: %v", i, err)
	}
}

// wrap puts another engine into the place of the fake one.
func (c *cluster) wrap(i int, e engine) {
	if c.wrapped == nil {
		c.wrapped = map[int]engine{}
	}
	c.wrapped[i] = e
}

// client talks to the worker with the given index.
func (c *cluster) client(i int) *Client {
	c.t.Helper()
	conn, err := dialControl(c.workers[i].dir)
	if err != nil {
		c.t.Fatal(err)
	}
	client, err := NewClient(conn)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { client.Close() })
	return client
}

// gateway is the index of the gateway's worker.
func (c *cluster) gateway() int {
	for i, m := range c.manifests {
		if m.Gateway != nil {
			return i
		}
	}
	panic("no gateway")
}

// fakeEngine adds 1 to the first two elements of its input.
type fakeEngine struct {
	inputs []tensor.Info
	mu     sync.Mutex
	seen   []byte                 // the first elements, in order, without the warm-up
	before func(first byte) error // runs before each inference but the warm-up
	runs   int
	take   func(n int) []byte
}

func newFakeEngine(s *Stage) *fakeEngine {
	if s == nil {
		return nil
	}
	return &fakeEngine{inputs: s.Inputs[:1], take: func(n int) []byte { return make([]byte, n) }}
}

func (e *fakeEngine) Inputs() []tensor.Info { return e.inputs }
func (e *fakeEngine) Close() error          { return nil }

func (e *fakeEngine) Allocate(take func(n int) []byte) { e.take = take }

func (e *fakeEngine) Run(inputs []tensor.Tensor, outputs []string) ([]tensor.Tensor, error) {
	if len(inputs) != 1 || len(outputs) != 1 {
		return nil, fmt.Errorf("%d inputs and %d outputs reached the engine", len(inputs), len(outputs))
	}
	first := inputs[0].Data[0]
	e.mu.Lock()
	e.runs++
	warmUp, before := e.runs == 1, e.before
	if !warmUp {
		e.seen = append(e.seen, first)
	}
	e.mu.Unlock()
	if !warmUp && before != nil {
		if err := before(first); err != nil {
			return nil, err
		}
	}
	out := inputs[0]
	out.Name = outputs[0]
	out.Data = e.take(len(inputs[0].Data))
	copy(out.Data, inputs[0].Data)
	for i := range out.Data[:2] {
		out.Data[i]++
	}
	return []tensor.Tensor{out}, nil
}

// order gives the first elements in the order of arrival, as they entered the pipeline.
func (e *fakeEngine) order(stage int) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := bytes.Clone(e.seen)
	for i := range out {
		out[i] -= byte(stage)
	}
	return out
}

// shortTempDir leaves room for a socket's name, which t.TempDir does not.
func shortTempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ep")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// checkGoroutines fails a test that leaves goroutines behind.
func checkGoroutines(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		var after int
		for range 1000 {
			if after = runtime.NumGoroutine(); after <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

var _ io.Writer = (*lockedBuffer)(nil)

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
