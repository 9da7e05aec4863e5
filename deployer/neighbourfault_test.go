package deployer

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// viaRelay makes what goes from one device to another pass a slow line.
func (n neighbourhood) viaRelay(from, to string, rate float64) *relay {
	n.t.Helper()
	r := &relay{target: net.JoinHostPort(n.nodes[to].PipelineAddress, "7433"), rate: rate, resume: make(chan struct{})}
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
			line.holdAt.Store(8_000_000)
			defer close(line.resume)
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
		{"the giver lies", false, func(n neighbourhood) error { return damage(n.blobFile("a")) }, nil, "what a gave cannot be used: weight "},
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
			if test.says != "" && (!strings.Contains(why, test.says) || before != "b: could not get 1 file from a") {
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
	x := newExchange(p, []string{"a", "b"}, nil)
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
