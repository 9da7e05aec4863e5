package deployer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// openProbes opens the devices of a cluster with a program that stands in for the worker.
func (c *cluster) openProbes(t *testing.T, program []byte) *Probes {
	t.Helper()
	blob := c.blobs.add(worker.ProgramFile, program)
	nodes := map[string]ProbeNode{}
	for name, node := range c.nodes {
		nodes[name] = ProbeNode{Node: node, Program: blob}
	}
	p := OpenProbes(context.Background(), nodes, c.blobs, c.lineage, c.options)
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// A device may answer anything: it is told in time what is wrong, and nothing is believed.
func TestHostileProbes(t *testing.T) {
	tests := []struct {
		name, script, want string
	}{
		{"garbage", `echo hello; sleep 60`, "which makes no sense"},
		{"a line without end", `yes | tr -d '\n'`, "token too long"},
		{"what nobody asked", `yes '{"id":9}'`, "what it was not asked"},
		{"nothing of what was asked", `read x; echo '{"id":1}'; sleep 60`, "without what was asked for"},
		{"silence", `sleep 60`, "did not answer within 2s"},
		{"an end", `echo "bus error" >&2; exit 3`, "the device's probe ended: bus error"},
		{"an error of many lines", `read x; printf '{"id":1,"error":"a\\nb\\u001b[2J"}\n'; sleep 60`, "the device's probe: a b [2J"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := bareCluster(t)
			c.addDevice("a", embedded.Options{})
			c.options.AnswerTimeout = 2 * time.Second
			p := c.openProbes(t, []byte("#!/bin/sh\n"+test.script+"\n"))
			begun := time.Now()
			_, _, err := p.Facts(context.Background(), "a", true)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "a: ") {
				t.Errorf("%v, want %q of a", err, test.want)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A device that lies about its memory and its clock is told of, and what it says is
// made credible.
func TestLyingProbe(t *testing.T) {
	c := newCluster(t, "a")
	p := c.openProbes(t, []byte(`#!/bin/sh
while read x; do
	n=${x#'{"id":'}; n=${n%%,*}
	case $x in
	*clock*) echo "{\"id\":$n,\"clock\":1000000000}" ;;
	*) echo "{\"id\":$n,\"facts\":{\"cores\":-3,\"memory_total_bytes\":1000,\"memory_available_bytes\":5000,\"memory_limit_bytes\":99999,\"busy\":7}}" ;;
	esac
done
`))
	facts, offset, err := p.Facts(context.Background(), "a", true)
	if err != nil {
		t.Fatal(err)
	}
	if facts.Cores != 1 || facts.FreeBytes() != 1000 || facts.MemoryLimitBytes != 0 || len(facts.Doubts) != 3 {
		t.Errorf("%+v", facts)
	}
	if offset > -50*365*24*time.Hour {
		t.Errorf("a clock of 1970 is off by %v", offset)
	}
}

// What one device says of a link is checked as well.
func TestLinkOfLiars(t *testing.T) {
	tests := []struct{ listen, send, want string }{
		{`"listen":{"port":70000}`, ``, "b: the device's probe answered without what was asked for"},
		{`"error":"no port is free"`, ``, "b: the device's probe: no port is free"},
		{`"listen":{"port":80}`, `"facts":{}`, "a: the device's probe answered without"},
		{`"listen":{"port":80}`, `"link":{"bytes_per_second":-1}`, "a: the other device's answer makes no sense"},
		{`"listen":{"port":80}`, `"link":{"bytes_per_second":1e40}`, "a: the other device's answer makes no sense"},
		{`"listen":{"port":80}`, `"link":{"bytes_per_second":5e6,"round_trip_seconds":-1}`, "a: the other device's answer makes no sense"},
		{`"listen":{"port":80}`, `"link":{"bytes_per_second":"lots"}`, "which makes no sense"},
		{`"listen":{"port":80}`, `"error":"the link went silent"`, "a: the device's probe: the link went silent"},
		{`"listen":{"port":80}`, `"error":"refused","unreached":true`, "a does not reach b at 127."},
	}
	for _, test := range tests {
		t.Run(test.listen+" "+test.send, func(t *testing.T) {
			c := newCluster(t, "a", "b")
			p := c.openProbes(t, fmt.Appendf(nil, `#!/bin/sh
while read x; do
	n=${x#'{"id":'} n=${n%%%%,*}
	case $x in
	*'"listen":'*) echo "{\"id\":$n,"'%s}' ;;
	*) echo "{\"id\":$n,"'%s}' ;;
	esac
done
`, test.listen, test.send))
			_, err := p.Link(context.Background(), "a", "b", probe.DefaultLimits(), 7433)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			var unreached *UnreachableLinkError
			if errors.As(err, &unreached) && !unreached.Elsewhere {
				t.Error("a port that is not the first of the pipeline proves that there is no way")
			}
		})
	}
}

// Who changes a device is not measured beside, and a device that fails leaves the others.
func TestProbesTakeLeases(t *testing.T) {
	c := newCluster(t, "a", "b")
	p := c.openProbes(t, fakeWorker(t))
	other := c.options
	other.Holder = Holder{Who: "bo@desk", Operation: "apply", State: "bo's"}
	blob := c.blobs.add(worker.ProgramFile, fakeWorker(t))
	second := OpenProbes(context.Background(), map[string]ProbeNode{"a": {Node: c.nodes["a"], Program: blob}}, c.blobs, c.lineage, other)
	defer second.Close(context.Background())
	var held *HeldError
	if err := second.Failed()["a"]; !errors.As(err, &held) || held.Lease.Who != "ana@laptop" {
		t.Errorf("%v, want that ana@laptop holds it", err)
	}
	if _, err := second.Link(context.Background(), "a", "b", probe.DefaultLimits(), 7433); !errors.As(err, &held) {
		t.Errorf("%v", err)
	}
	p.Close(context.Background())
	c.mustApply(models{"m": c.model("m", "1", 7000, "a", "b")}) // the leases are given back
}

// The real worker on real SSH servers: facts, a link both ways, and that a cut
// connection ends what runs there while the next question begins anew.
func TestProbesOfRealWorkers(t *testing.T) {
	program := buildWorker(t)
	c := emptyCluster(t)
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	c.addDevice("b", embedded.Options{})
	p := c.openProbes(t, program)
	for name, err := range p.Failed() {
		t.Fatalf("%s: %v", name, err)
	}
	ctx := context.Background()
	for _, name := range []string{"a", "b"} {
		facts, offset, err := p.Facts(ctx, name, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(facts.Doubts) > 0 || facts.Cores < 1 || facts.FreeBytes() < 1<<20 || facts.CPUSecondsPerByte <= 0 || offset.Abs() > time.Second {
			t.Errorf("%s: %+v, clock %v", name, facts, offset)
		}
	}
	limits := probe.Limits{Bytes: 4 << 20, Floor: 0.05, Cap: 1, Goal: 0.1}
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		result, err := p.Link(ctx, way[0], way[1], limits, 7433)
		if err != nil || result.RoundTripSeconds <= 0 {
			t.Errorf("%v: %+v, %v", way, result, err)
		}
	}
	c.devices["b"].Disconnect()
	if _, _, err := p.Facts(ctx, "b", false); err != nil {
		if _, _, err = p.Facts(ctx, "b", false); err != nil { // the first may meet the cut
			t.Errorf("after the connection was cut: %v", err)
		}
	}
	p.Close(ctx)
	for name, home := range c.homes {
		awaitNone(t, name, filepath.Join(home, ".edgeplan"))
		entries, err := os.ReadDir(filepath.Join(home, ".edgeplan"))
		if err != nil || len(entries) != 1 || entries[0].Name() != "blobs" {
			t.Errorf("%s: %v are left, %v", name, entries, err)
		}
	}
}

// awaitNone waits until no process runs a program below a folder.
func awaitNone(t *testing.T, name, folder string) {
	t.Helper()
	for range 100 {
		if exec.Command("pgrep", "-f", folder).Run() != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s: a probe still runs", name)
}

// There is no room for the worker: nothing is written, and that is said.
func TestProbeOfAFullDisk(t *testing.T) {
	c := newCluster(t, "a")
	c.devices["a"].SetFreeBytes(100)
	p := c.openProbes(t, make([]byte, 1<<20))
	if err := p.Failed()["a"]; err == nil || !strings.Contains(err.Error(), "the disk is too full") {
		t.Errorf("%v", err)
	}
	err := p.Upload(context.Background(), "a", c.blobs, []statefile.Blob{})
	if err == nil {
		t.Error("a device that failed took files")
	}
	mentions(t, p.Upload(context.Background(), "b", c.blobs, []statefile.Blob{}), "b is not being measured")
}
