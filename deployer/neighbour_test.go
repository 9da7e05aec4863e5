package deployer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/enginetest"
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
	if err := os.WriteFile(real, buildWorker(t), 0o755); err != nil {
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
	m := c.realModel(t, buildWorker(t), library, "basic")
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

// viaRelay makes what goes from one device to another pass a slow line.
func (n neighbourhood) viaRelay(from, to string, rate float64) *relay {
	n.t.Helper()
	r := &relay{target: net.JoinHostPort(n.nodes[to].PipelineAddress, "7433"), rate: rate}
	at, stop, err := r.listen()
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(stop)
	n.write(filepath.Join(n.homes[from], "via"), at.String())
	return r
}

// processOf finds a worker that gives or takes for a device.
func (n neighbourhood) processOf(command, node string) int {
	dir := filepath.Join(n.root(node), "blobs", "sha256")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			line, _ := os.ReadFile(file)
			words := bytes.Split(line, []byte{0})
			if len(words) > 2 && filepath.Base(string(words[0])) == "real" && string(words[1]) == command && string(words[2]) == dir {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				return pid
			}
		}
	}
	return 0
}

// Whatever goes wrong between two devices, the operator sends the rest, and says why.
func TestNeighboursThatFail(t *testing.T) {
	t.Parallel()
	kill := func(command, node string) func(n neighbourhood, line *relay) {
		return func(n neighbourhood, line *relay) {
			for deadline := time.Now().Add(20 * time.Second); line.sent.Load() < 8_000_000 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if pid := n.processOf(command, node); pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	tests := []struct {
		name      string
		slow      bool                               // between the two
		harm      func(n neighbourhood) error        // before
		meanwhile func(n neighbourhood, line *relay) // meanwhile
		says      string
	}{
		{"the giver dies", true, nil, kill("give", "a"), "a: "},
		{"the taker dies", true, nil, kill("take", "b"), "b: "},
		{"the line is cut", true, nil, func(_ neighbourhood, line *relay) { line.cutAt.Store(8_000_000) }, "stopped in the middle"},
		{"the giver lies", false, func(n neighbourhood) error { return damage(n.blobFile("a")) }, nil, "what a gave is not right: weight "},
		{"the giver has it not", false, func(n neighbourhood) error {
			return os.Truncate(n.blobFile("a"), 5)
		}, nil, ""}, // the operator mends it, and so it is there
		{"the giver's program is old", false, func(n neighbourhood) error {
			return os.WriteFile(filepath.Join(n.homes["a"], "give.sh"), []byte("echo 'wrong usage: no command \"give\"' >&2; exit 2"), 0o600)
		}, nil, `a: wrong usage: no command "give"`},
		{"nobody is there", false, func(n neighbourhood) error {
			return os.WriteFile(filepath.Join(n.homes["a"], "via"), []byte("127.0.0.1:1"), 0o600)
		}, nil, "a: the other device is not reached"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNeighbourhood(t, withSSHD, "a", "b")
			layer := n.layer()
			n.mustApply(models{"net": n.sharing("1", 7433, []statefile.Blob{layer}, "a")})
			n.told()
			fromHere := n.through("b", 0, 0)
			var line *relay
			if test.slow {
				line = n.viaRelay("a", "b", 8_000_000)
			}
			if test.harm != nil {
				if err := test.harm(n); err != nil {
					t.Fatal(err)
				}
			}
			m := n.sharing("2", 7434, []statefile.Blob{layer}, "a", "b")
			if test.meanwhile != nil {
				go test.meanwhile(n, line)
			}
			if err := n.apply(n.planned(m, map[string]string{"b": "a"}, layer)); err != nil {
				t.Fatal(err)
			}
			if err := n.serves("net", m); err != nil {
				t.Error(err)
			}
			events := n.told()
			told := strings.Join(warnings(events), "\n")
			before, why, _ := strings.Cut(told, ", now sent from here: ")
			if test.says != "" && (!strings.Contains(why, test.says) || before != "b: a could not give it 1 file") {
				t.Errorf("told %q, want %q", told, test.says)
			}
			if test.says == "" && told != "" {
				t.Errorf("told %q", told)
			}
			if sent := fromHere.sent.Load(); test.name == "the giver dies" && sent > layer.Size-4_000_000 {
				t.Errorf("%d bytes were sent from here, also those that had come from a", sent)
			}
			n.sound("b", layer)
		})
	}
}

// layer is a blob that fits in no buffers, and takes three seconds on a slow line between devices.
func (n neighbourhood) layer() statefile.Blob { return n.blobs.add("", noise(1, 24_000_000)) }

func (n neighbourhood) blobFile(node string) string {
	return filepath.Join(n.root(node), "blobs", "sha256", n.layer().Digest)
}

// sound checks one blob, and that no part file is left.
func (n neighbourhood) sound(node string, blob statefile.Blob) {
	n.t.Helper()
	dir := filepath.Join(n.root(node), "blobs", "sha256")
	content, err := os.ReadFile(filepath.Join(dir, blob.Digest))
	if err != nil || plan.DigestOf(content) != blob.Digest {
		n.t.Errorf("%s: %s has another content, %v", node, blobName(blob), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, temporary+"*")); len(left) > 0 {
		n.t.Errorf("%s: %q is left", node, left)
	}
}

// A device may answer anything, and give anything: the other gets the blob from here, soon.
func TestHostileNeighbours(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, "a", "b")
	n.options.AnswerTimeout = 3 * time.Second
	layer := n.blobs.add("", noise(1, 600_000))
	n.mustApply(models{"net": n.sharing("1", 7433, []statefile.Blob{layer}, "a")})
	p := n.planned(n.sharing("2", 7434, []statefile.Blob{layer}, "a", "b"), map[string]string{"b": "a"}, layer)
	n.put("b", n.program)
	key := `"key":"` + strings.Repeat("A", 43) + `="`
	for _, test := range []struct{ name, node, script, says string }{
		{"garbage", "b", "echo hello", "which makes no sense"},
		{"a line without end", "b", "yes | tr -d '\\n'", "token too long"},
		{"silence", "b", "sleep 60", "did not answer within 3s"},
		{"an end", "b", "exit 0", "ended without a word"},
		{"no port", "b", `echo '{"port":0,` + key + `}'; sleep 60`, "does not say where"},
		{"a port beyond all", "b", `echo '{"port":99999,` + key + `}'; sleep 60`, "does not say where"},
		{"no key", "b", `echo '{"port":9}'; sleep 60`, "does not say where"},
		{"nobody at its port", "b", `echo '{"port":9,` + key + `}'; sleep 60`, "a: the other device is not reached"},
		{"all has come, it says", "b", `echo '{"port":9,` + key + `}'; echo '{"done":true,"bytes":600000}'; sleep 60`, "what a gave is not right"},
		{"more than all, it says", "b", `echo '{"port":9,` + key + `}'; echo '{"done":true,"bytes":900000}'; sleep 60`, "a: the other device is not reached"},
		{"bytes that go back", "b", `echo '{"port":9,` + key + `}'; yes '{"bytes":-5}'`, "a: the other device is not reached"},
		{"lines of an error", "b", `printf 'a\nb\033[2J' >&2; exit 1`, "b: a b [2J"},
		{"a giver that says nothing", "a", "sleep 60", "nothing came for 3s"},
		{"a giver that fails", "a", "echo bus error >&2; exit 3", "a: bus error"},
		{"a giver that talks", "a", "yes", "a: its worker said \"y\""},
	} {
		_ = os.Remove(filepath.Join(n.root("b"), "blobs", "sha256", layer.Digest))
		script := filepath.Join(n.homes[test.node], map[string]string{"a": "give.sh", "b": "take.sh"}[test.node])
		n.write(script, test.script)
		n.told()
		begun := time.Now()
		if err := n.passOnce(p, func() {}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if told := strings.Join(warnings(n.told()), "\n"); !strings.Contains(told, test.says) {
			t.Errorf("%s: told %q, want %q", test.name, told, test.says)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("%s: it took %s", test.name, took)
		}
		n.sound("b", layer)
		if err := os.Remove(script); err != nil {
			t.Error(err)
		}
	}
}

// A plan that somebody edited to go in a circle, or to take from who is not there, or twice, is
// carried out from here.
func TestCirclesOfNeighbours(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, withSSHD, "a", "b")
	layer := n.blobs.add("", noise(1, 2_000_000))
	m := n.sharing("1", 7433, []statefile.Blob{layer}, "a", "b")
	p := n.planned(m, map[string]string{"a": "b", "b": "a"}, layer)
	for _, u := range p.Uploads {
		if u.From != "" {
			p.Uploads = append(p.Uploads, u, plan.Upload{Node: "nobody", Blob: layer, From: "a"}, plan.Upload{Node: u.Node, Blob: u.Blob, From: "nobody"})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := Apply(ctx, p, n.recorder, n.options); err != nil {
		t.Fatal(err)
	}
	n.whole(m)
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

// Every operation of either device fails once while one gives the other something, or takes the
// connection along. What comes of it is the blob or no blob, and the next attempt brings it.
func TestEveryOperationOfNeighboursMayFail(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, func(c *cluster, name string) { c.addDevice(name, embedded.Options{}) }, "a", "b")
	layer := n.blobs.add("", noise(1, 600_000))
	first := n.sharing("1", 7433, []statefile.Blob{layer}, "a")
	n.mustApply(models{"net": first})
	m := n.sharing("2", 7434, []statefile.Blob{layer}, "a", "b")
	p := n.planned(m, map[string]string{"b": "a"}, layer)
	n.put("b", n.program)
	for _, node := range []string{"a", "b"} {
		for _, way := range []embedded.Action{embedded.Fail, embedded.DropAfter} {
			for at := 1; ; at++ {
				_ = os.Remove(filepath.Join(n.root("b"), "blobs", "sha256", layer.Digest))
				loop := faultLoop{cluster: n.cluster, node: node, way: way}
				met := func() string { return "" }
				err := n.passOnce(p, func() { met = loop.fault(at) })
				n.devices[node].SetFault(nil)
				if err == nil {
					n.sound("b", layer)
				} else if content, found := os.ReadFile(filepath.Join(n.root("b"), "blobs", "sha256", layer.Digest)); found == nil && plan.DigestOf(content) != layer.Digest {
					t.Errorf("%s of %s: b has another content", met(), node)
				}
				if node == "a" && err != nil {
					t.Errorf("%s of the giver keeps the taker from getting it: %v", met(), err)
				}
				if err := n.passOnce(p, func() {}); err != nil {
					t.Errorf("after %s of %s: %v", met(), node, err)
				}
				n.sound("b", layer)
				if met() == "" {
					t.Logf("%d operations of %s", at-1, node)
					break
				}
			}
		}
	}
}

// passOnce lets b get from a what the plan says, as in an apply that has brought all else, after
// something was done.
func (n neighbourhood) passOnce(p *plan.Plan, then func()) error {
	n.t.Helper()
	a := newApplying(p, n.recorder, n.options.withDefaults())
	defer a.close()
	x := newExchange(p, []string{"a", "b"})
	for _, node := range []string{"a", "b"} {
		s, err := siteOf(context.Background(), a.devices[node], a.devices[node].node.Path, n.lineage)
		if err != nil {
			return err
		}
		a.sites[node] = s
		missing, err := a.lacking(context.Background(), s)
		if err != nil {
			return err
		}
		x.fromHere(node, missing)
		close(x.uploaded[node])
	}
	then()
	for _, g := range x.passings {
		if err := a.pass(context.Background(), x, g); err != nil {
			return err
		}
	}
	return nil
}
