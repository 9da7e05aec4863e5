package deployer

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Who answers is well; who is off, and who takes connections and says nothing, is away, and
// keeps nobody waiting; who is back is well again.
func TestMonitor(t *testing.T) {
	c := newCluster(t, "a", "b")
	hangs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	c.addNode("hangs", hangs.Addr().String(), c.devices["a"].HostKeyLine(), "", ".edgeplan")
	connections := NewConnections()
	defer connections.Close()
	c.options.Connections = connections
	m := NewMonitor(time.Second, c.options)
	defer m.Close()
	well := func() (names string, answers map[string]Health) {
		begun := time.Now()
		answers = m.Ask(context.Background(), statefile.New(), c.nodes)
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("asking took %s", took)
		}
		for _, node := range []string{"a", "b", "hangs"} {
			if answers[node].Err == nil {
				names += node
			}
		}
		return names, answers
	}
	ask := func(want string) { // a busy machine may not answer at once
		t.Helper()
		names, answers := well()
		for deadline := time.Now().Add(20 * time.Second); names != want && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			names, answers = well()
		}
		if names != want {
			t.Errorf("%q are well, want %q: %+v", names, want, answers)
		}
	}
	ask("ab")
	ask("ab")
	if h := m.AskOne(context.Background(), statefile.New(), "hangs", c.nodes["hangs"]); h.Err == nil {
		t.Error("who says nothing is well when asked alone")
	}
	c.devices["b"].Close()
	ask("a")
	again, err := embedded.Start(embedded.Options{Address: c.devices["b"].Addr(), Home: c.homes["b"], AuthorizedKey: c.key})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n := c.nodes["b"]
	n.SSH.HostKey = again.HostKeyLine()
	c.nodes["b"] = n
	ask("ab")
}

// Connections to workers end that are of a model or on a device that is not deployed any
// more, and all of them when the monitor rests.
func TestMonitorRests(t *testing.T) {
	m := NewMonitor(time.Second, Options{})
	defer m.Close()
	kept := workerKey{"a", "m"}
	ends := map[workerKey]net.Conn{}
	for _, key := range []workerKey{kept, {"b", "m"}, {"gone", "m"}, {"a", "gone"}} {
		here, there := net.Pipe()
		if err := there.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		client, err := worker.NewClient(here)
		if err != nil {
			t.Fatal(err)
		}
		m.clients[key], ends[key] = &workerClient{release: "r", conn: here, Client: client}, there
	}
	ended := func(key workerKey) {
		t.Helper()
		if _, err := io.Copy(io.Discard, ends[key]); err != nil || m.clients[key] != nil {
			t.Errorf("the connection to %+v is open: %v", key, err)
		}
	}
	state := statefile.New()
	state.Models["m"] = statefile.Model{Release: "r", Gateway: "a", Slices: []statefile.Slice{{Node: "a"}, {Node: "gone"}}}
	m.keep(deployed(state, map[string]statefile.Node{"a": {}, "b": {}}))
	for key := range ends {
		if key != kept {
			ended(key)
		}
	}
	if m.clients[kept] == nil || len(m.clients) != 1 {
		t.Errorf("%d connections are kept, want that to %+v", len(m.clients), kept)
	}
	late := workerKey{"a", "late"}
	here, there := net.Pipe()
	ends[late] = there
	client, err := worker.NewClient(here)
	if err != nil {
		t.Fatal(err)
	}
	asked := m.restsSoFar()
	m.Rest()
	ended(kept)
	if err := m.hold(late, &workerClient{release: "r", conn: here, Client: client}, asked); !errors.Is(err, errRests) {
		t.Errorf("a connection that came about meanwhile: %v", err)
	}
	ended(late)
	if _, err := m.client(t.Context(), state, "m", "r", "a", asked); !errors.Is(err, errRests) {
		t.Errorf("a connection that was to be made then: %v", err)
	}
}

// stuck is a connection to a device that says nothing any more: it takes long to end.
type stuck struct {
	net.Conn
	until chan struct{}
}

func (s stuck) Close() error {
	<-s.until
	return s.Conn.Close()
}

// A device that has fallen silent does not keep a monitor from resting.
func TestMonitorRestsWithoutTheSilent(t *testing.T) {
	m := NewMonitor(time.Second, Options{})
	defer m.Close()
	here, there := net.Pipe()
	defer there.Close()
	until := make(chan struct{})
	client, err := worker.NewClient(here)
	if err != nil {
		t.Fatal(err)
	}
	m.clients[workerKey{"a", "m"}] = &workerClient{release: "r", conn: stuck{here, until}, Client: client}
	rested := make(chan struct{})
	go func() {
		m.Rest()
		close(rested)
	}()
	select {
	case <-rested:
	case <-time.After(20 * time.Second):
		t.Error("it waits for a device that says nothing")
	}
	close(until)
	<-rested
}
