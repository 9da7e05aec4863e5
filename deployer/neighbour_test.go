package deployer

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// givingScript is the worker of these tests: the real program for files, worker.sh for the rest.
// A giver with a file "via" in its home folder goes through the relay that this names.
const givingScript = `#!/bin/sh
real=%s
case $1 in
give)
	[ -e "$HOME/give.sh" ] && exec sh "$HOME/give.sh"
	[ -e "$HOME/via" ] || exec $real "$@"
	read -r request
	request=$(printf '%%s' "$request" | sed "s/\"address\":\"[^\"]*\"/\"address\":\"$(cat "$HOME/via")\"/")
	mkfifo "$HOME/fifo" && exec 3<&0 || exit
	{ printf '%%s\n' "$request"; exec cat <&3; } >"$HOME/fifo" &
	$real "$@" <"$HOME/fifo" 3<&-
	status=$?
	kill $!
	rm "$HOME/fifo"
	exit $status ;;
take)
	[ -e "$HOME/take.sh" ] && exec sh "$HOME/take.sh"
	exec $real "$@" ;;
sum | receive) exec $real "$@" ;;
esac
`

// neighbourhood is a cluster whose devices can give each other blobs.
type neighbourhood struct {
	*cluster
	program statefile.Blob
	told    func() []Event
}

func newNeighbourhood(t testing.TB, add func(c *cluster, name string), names ...string) neighbourhood {
	t.Helper()
	c := bareCluster(t)
	real := filepath.Join(t.TempDir(), "real")
	if err := os.WriteFile(real, workerOnce(t), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		add(c, name)
		node := c.nodes[name]
		node.PipelinePort = 7433
		c.nodes[name] = node
	}
	script := fmt.Appendf(nil, givingScript, real)
	n := neighbourhood{cluster: c, program: c.blobs.add(worker.ProgramFile, append(script, fakeWorker(t)...))}
	var mu sync.Mutex
	var events []Event
	c.options.Progress = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	n.told = func() []Event {
		mu.Lock()
		defer mu.Unlock()
		list := events
		events = nil
		return list
	}
	return n
}

// workerOnce is buildWorker, once for all of these tests.
func workerOnce(t testing.TB) []byte {
	t.Helper()
	onceBuilt.Do(func() { onceBuilt.content = buildWorker(t) })
	if onceBuilt.content == nil {
		t.Fatal("the worker was not built")
	}
	return onceBuilt.content
}

var onceBuilt struct {
	sync.Once
	content []byte
}

func withSSHD(c *cluster, name string) { c.addSSHD(name, sshdtest.Options{}, ".edgeplan") }

// sharing is a model whose stages all have some weights in common.
func (n neighbourhood) sharing(version string, port int, weights []statefile.Blob, names ...string) statefile.Model {
	m := n.model("net", version, port, names...)
	for i, node := range names {
		m.Slices[i].Weights = append(m.Slices[i].Weights, weights...)
		m.Programs[node] = []statefile.Blob{n.program}
	}
	m.Release = plan.ReleaseID("net", &m, n.nodes)
	return m
}

// planned has nodes get some blobs from others, by who gets them.
func (n neighbourhood) planned(m statefile.Model, from map[string]string, blobs ...statefile.Blob) *plan.Plan {
	p := n.plan(models{"net": m})
	p.Uploads = plan.Uploads(p, p.Deployments, nil)
	for i, u := range p.Uploads {
		for _, blob := range blobs {
			if u.Blob == blob {
				p.Uploads[i].From = from[u.Node]
			}
		}
	}
	return p
}

// moved adds up what was told to have been moved, by node and where it came from.
func moved(events []Event) map[[2]string]int64 {
	sums, last := map[[2]string]int64{}, map[[2]string]int64{}
	for _, e := range events {
		if e.Kind != "upload" || e.Total == 0 {
			continue
		}
		way := [2]string{e.Node, e.From}
		if e.Message != "" {
			last[way] = 0
		}
		sums[way] += e.Bytes - last[way]
		last[way] = e.Bytes
	}
	return sums
}

// by adds up the uploads of a plan likewise.
func by(uploads []plan.Upload) map[[2]string]int64 {
	sums := map[[2]string]int64{}
	for _, u := range uploads {
		sums[[2]string{u.Node, u.From}] += u.Blob.Size
	}
	return sums
}

func warnings(events []Event) (list []string) {
	for _, e := range events {
		if e.Kind == "warning" {
			list = append(list, e.Node+": "+e.Message)
		}
	}
	return list
}

// whole checks that every device has its release, from whomever.
func (n neighbourhood) whole(m statefile.Model) {
	n.t.Helper()
	if err := n.serves("net", m); err != nil {
		n.t.Error(err)
	}
	for _, node := range plan.ReleaseNodes(&m) {
		n.inPlace(node, plan.NodeBlobs(&m, node))
	}
}

// What three devices have in common goes over the operator's line once, and what the plan says
// of every way is what goes there.
func TestBlobsComeFromNeighbours(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b", "c")
	var relays []*relay
	for _, node := range []string{"a", "b", "c"} {
		relays = append(relays, n.through(node, 0, 0))
	}
	big, small := n.blobs.add(worker.EngineFile, noise(1, 24_000_000)), n.blobs.add("", noise(2, 300_000))
	m := n.sharing("1", 7433, []statefile.Blob{big, small}, "a", "b", "c")
	p := n.planned(m, map[string]string{"b": "a", "c": "b"}, big, small)
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	n.whole(m)
	events := n.told()
	if list := warnings(events); len(list) > 0 {
		t.Errorf("warnings: %q", list)
	}
	counted, said := moved(events), by(p.Uploads)
	for way, want := range said {
		if got := counted[way]; got != want {
			t.Errorf("%s from %q: %d bytes were moved, and the plan says %d", way[0], way[1], got, want)
		}
	}
	var sent int64
	for _, r := range relays {
		sent += r.sent.Load()
	}
	here := said[[2]string{"a", ""}] + said[[2]string{"b", ""}] + said[[2]string{"c", ""}]
	t.Logf("%d bytes went over the operator's line, and the plan says %d", sent, here)
	if sent < here || sent > here+here/100 {
		t.Errorf("%d bytes went over the operator's line, and the plan says %d", sent, here)
	}
}

// A layer that moves to another device comes from the one that has it.
func TestMovedLayerComesFromItsDevice(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b")
	layer := n.blobs.add("", noise(1, 3_000_000))
	before := n.sharing("1", 7433, nil, "a", "b")
	before.Slices[0].Weights = append(before.Slices[0].Weights, layer)
	before.Release = plan.ReleaseID("net", &before, n.nodes)
	n.mustApply(models{"net": before})
	n.told()
	after := n.sharing("2", 7434, nil, "a", "b")
	after.Slices[1].Weights = append(after.Slices[1].Weights, layer)
	after.Release = plan.ReleaseID("net", &after, n.nodes)
	p := n.planned(after, map[string]string{"b": "a"}, layer)
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	if err := n.serves("net", after); err != nil {
		t.Error(err)
	}
	if got := moved(n.told())[[2]string{"b", "a"}]; got != layer.Size {
		t.Errorf("%d bytes came from a, want %d", got, layer.Size)
	}
}

// A layer comes from a device that leaves the model, before that is cleaned.
func TestDeviceThatLeavesGives(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b")
	layer := n.blobs.add("", noise(1, 3_000_000))
	n.mustApply(models{"net": n.sharing("1", 7433, []statefile.Blob{layer}, "a")})
	n.told()
	m := n.sharing("2", 7434, []statefile.Blob{layer}, "b")
	if err := n.apply(n.planned(m, map[string]string{"b": "a"}, layer)); err != nil {
		t.Fatal(err)
	}
	if err := n.serves("net", m); err != nil {
		t.Error(err)
	}
	events := n.told()
	if got := moved(events)[[2]string{"b", "a"}]; got != layer.Size {
		t.Errorf("%d bytes came from a, want %d; warnings %q", got, layer.Size, warnings(events))
	}
	if _, err := os.Stat(filepath.Join(n.root("a"), "blobs", "sha256", layer.Digest)); !os.IsNotExist(err) {
		t.Errorf("a keeps the layer: %v", err)
	}
}

// Many devices wait for each other, with few worked on at once.
func TestChainOfNeighbours(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e"}
	n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, names...)
	n.options.Devices = 1
	layer := n.blobs.add("", noise(1, 2_000_000))
	m := n.sharing("1", 7433, []statefile.Blob{layer}, names...)
	p := n.planned(m, map[string]string{"a": "b", "b": "c", "c": "d", "d": "e"}, layer)
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	n.whole(m)
	counted := moved(n.told())
	for way, want := range by(p.Uploads) {
		if counted[way] != want {
			t.Errorf("%s from %q: %d bytes, want %d", way[0], way[1], counted[way], want)
		}
	}
}

// Over a network that devices share one gives at a time, as the plan counts.
func TestOneAtATimeOverASharedNetwork(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, "a", "b", "c", "d")
	layer := n.blobs.add("", noise(1, 4_000_000))
	n.mustApply(models{"net": n.sharing("1", 7433, []statefile.Blob{layer}, "a", "c")})
	n.viaRelay("a", "b", 4_000_000)
	n.viaRelay("c", "d", 4_000_000)
	m := n.sharing("2", 7434, []statefile.Blob{layer}, "a", "b", "c", "d")
	p := n.planned(m, map[string]string{"b": "a", "d": "c"}, layer)
	for i, u := range p.Uploads {
		if u.From != "" {
			p.Uploads[i].Over = "network.lan"
		}
	}
	n.told()
	if err := n.apply(p); err != nil {
		t.Fatal(err)
	}
	if err := n.serves("net", m); err != nil {
		t.Error(err)
	}
	under, came := "", 0
	for _, e := range n.told() {
		switch {
		case e.From == "":
		case under != "" && under != e.Node:
			t.Errorf("%s gets something while %s does", e.Node, under)
		case e.Bytes == e.Total:
			under, came = "", came+1
		default:
			under = e.Node
		}
	}
	if came != 2 {
		t.Errorf("%d copies came from a neighbour, want 2", came)
	}
}
