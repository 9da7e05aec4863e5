package deployer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
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

// Two old devices and two new ones get a new worker program from each other, and then, by means of
// it, what else one of them has: in that order, so that nothing of it comes from here.
func TestWorkerProgramComesBeforeTheRest(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b", "c", "d")
	if found := Fetchers(t.Context(), n.nodes, n.options); !found["d"] {
		t.Skip("bash cannot connect here")
	}
	old, engine := n.blobs.add(worker.ProgramFile, workerOnce(t)), n.blobs.add(worker.EngineFile, noise(1, 600_000))
	n.program = old
	before := n.sharing("1", 7433, []statefile.Blob{engine}, "a", "b")
	for _, node := range []string{"a", "b"} {
		n.put(node, old)
		n.put(node, engine)
	}
	n.program = n.blobs.add(worker.ProgramFile, append(bytes.Clone(workerOnce(t)), "new"...))
	p := n.planned(n.sharing("2", 7434, []statefile.Blob{engine}, "a", "b", "c", "d"),
		map[string]string{"b": "a", "c": "a", "d": "b"}, n.program)
	p.Prior.Models = models{"net": before}
	from := map[string]string{"c": "b", "d": "a"}
	p.Uploads = slices.DeleteFunc(p.Uploads, func(u plan.Upload) bool { return u.Blob == engine && from[u.Node] == "" })
	for i, u := range p.Uploads {
		if u.Blob == engine {
			p.Uploads[i].From = from[u.Node]
		}
	}
	n.told()
	a := newApplying(p, n.recorder, n.options.withDefaults())
	defer a.close()
	if err := errors.Join(a.preflight(t.Context()), a.uploadAll(t.Context())); err != nil {
		t.Fatal(err)
	}
	events := n.told()
	if list := warnings(events); len(list) > 0 {
		t.Errorf("warnings: %q", list)
	}
	if diff := cmp.Diff(by(p.Uploads), moved(events)); diff != "" {
		t.Error(diff)
	}
}
