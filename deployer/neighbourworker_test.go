package deployer

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/worker"
)

// A new worker program comes from another device by means of the old one.
func TestNewWorkerComesByTheOld(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b")
	before := n.sharing("1", 7433, nil, "a", "b")
	n.mustApply(models{"net": before})
	n.told()
	old := n.program
	n.program = n.blobs.add(worker.ProgramFile, append(bytes.Clone(n.blobs[old.Digest]), "# new\n"...))
	after := n.sharing("2", 7434, nil, "a", "b")
	p := n.planned(after, map[string]string{"b": "a"}, n.program)
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	if err := n.serves("net", after); err != nil {
		t.Error(err)
	}
	events := n.told()
	if got := moved(events)[[2]string{"b", "a"}]; got != n.program.Size {
		t.Errorf("%d bytes came from a, want %d; %q", got, n.program.Size, warnings(events))
	}
	n.sound("b", n.program)
}

// A device that has no worker program gets that from another one, too: with a shell.
func TestFirstWorkerComesFromNeighbour(t *testing.T) {
	t.Parallel()
	library := enginetest.Library(t)
	c := bareCluster(t)
	c.options.probe = nil // the real one
	for _, name := range []string{"a", "b"} {
		withSSHD(c, name)
		node := c.nodes[name]
		node.PipelinePort = 7433
		c.nodes[name] = node
	}
	t.Cleanup(func() { c.stopAll() })
	var mu sync.Mutex
	n := neighbourhood{cluster: c}
	var events []Event
	c.options.Progress = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	if found := Fetchers(context.Background(), c.nodes, c.options); !found["b"] {
		t.Skip("bash cannot connect here")
	}
	m := c.realModel(t, workerOnce(t), library, "basic")
	program, _ := plan.WorkerProgram(&m, "b")
	p := n.planned(m, map[string]string{"b": "a"}, program)
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	c.infer(t, m)
	counted := moved(events)
	for way, want := range by(p.Uploads) {
		if counted[way] != want {
			t.Errorf("%s from %q: %d bytes, want %d; %q", way[0], way[1], counted[way], want, warnings(events))
		}
	}
	n.sound("b", program)
}

// Where the giver refuses to give what is not its own program without TLS, that comes from here.
func TestFirstWorkerThatIsRefused(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b")
	n.mustApply(models{"net": n.sharing("1", 7433, nil, "a")})
	n.told()
	m := n.sharing("2", 7434, nil, "a", "b")
	if err := n.apply(n.planned(m, map[string]string{"b": "a"}, n.program)); err != nil { // it is a script
		t.Fatal(err)
	}
	if told := strings.Join(warnings(n.told()), "\n"); !strings.Contains(told, "only the worker program that runs") {
		t.Errorf("told %q", told)
	}
	n.sound("b", n.program)
}
