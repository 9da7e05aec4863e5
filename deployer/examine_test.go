package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

func (c *cluster) examined(p *plan.Plan) *Examination {
	c.t.Helper()
	report, err := Examine(context.Background(), p, nil, c.options)
	if err != nil {
		c.t.Fatal(err)
	}
	return report
}

// All problems of all devices come in one report, and nothing is written.
func TestExamineFindsEverythingAtOnce(t *testing.T) {
	c := newCluster(t, "a", "b", "c", "d")
	m := c.model("net", "1", 7433, "a", "b", "c", "d")
	c.devices["a"].SetFreeBytes(10)
	c.devices["b"].Close()
	wrong := c.nodes["c"]
	wrong.Architecture = "linux/arm"
	c.nodes["c"] = wrong
	taken, err := net.Listen("tcp", c.nodes["d"].PipelineAddress+":7433")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	m.Slices[3].MemoryBytes = 1 << 50
	p := c.plan(models{"net": m})
	report := c.examined(p)
	var got []string
	for _, f := range report.Findings {
		got = append(got, fmt.Sprintf("%s %s %s", f.Node, f.Severity, f.Check))
		if f.Check != "connection" && f.Remedy == "" {
			t.Errorf("what to do about %q?", f.Problem)
		}
	}
	want := []string{"a error space", "b error connection", "c error architecture", "d error ports", "d error memory"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	err = c.apply(p)
	for _, f := range report.Findings {
		if err == nil || !strings.Contains(err.Error(), f.Problem) {
			t.Errorf("apply does not say %q: %v", f.Problem, err)
		}
	}
	for _, node := range []string{"a", "b", "c", "d"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s: %q was written", node, left)
		}
	}
}

// Devices that are well are described, also those that the plan does not touch.
func TestExamineHealthyDevices(t *testing.T) {
	c := newCluster(t, "a", "b")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a", "b")})
	report := c.examined(c.plan(c.state().Models))
	if len(report.Findings) > 0 || report.Faults() > 0 || len(report.Devices) != 0 {
		t.Errorf("nothing to do: %+v", report)
	}
	report, err := Examine(context.Background(), c.plan(c.state().Models), c.state().Nodes, c.options)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Devices {
		if !d.Answered || d.Architecture != c.nodes[d.Node].Architecture || d.FreeDiskBytes == 0 || d.AvailableMemoryBytes == 0 {
			t.Errorf("%+v", d)
		}
	}
	if len(report.Devices) != 2 || len(report.Findings) > 0 {
		t.Errorf("%+v", report)
	}
}

// A port that a worker of this state has is not somebody else's.
func TestCollidingAddresses(t *testing.T) {
	for _, c := range []struct {
		wanted, there string
		want          bool
	}{
		{"10.0.0.5:7433", "10.0.0.5:7433", true},
		{"10.0.0.5:7433", "10.0.0.5:7434", false},
		{"10.0.0.5:7433", "127.0.0.1:7433", false},
		{"10.0.0.5:7433", "0.0.0.0:7433", true},
		{"10.0.0.5:7433", "[::]:7433", true},
		{"hall.local:7433", "127.0.0.1:7433", true},
		{"0.0.0.0:8080", "10.0.0.5:8080", true},
		{"[fd00::1]:7433", "[fd00::1]:7433", true},
		{"nonsense", "10.0.0.5:7433", false},
	} {
		if got := collides(c.wanted, netip.MustParseAddrPort(c.there)); got != c.want {
			t.Errorf("%s beside %s: %v", c.wanted, c.there, got)
		}
	}
}

// What a device measures of itself.
func TestParseMeasured(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	out := `clock 1799989200
libc glibc 2.24
memory MemTotal 1000
memory MemAvailable 600
memory SwapFree 100
cgroup max 5 5
cgroup 9223372036854771712 100 0
cgroup 512000 409600 102400
socket 0100007F:1D09 31337
socket 00000000000000000000000001000000:1D0A 31338
socket nonsense 1
nonsense
`
	got := parseMeasured(out, now, now.Add(time.Second))
	want := measured{skew: -3 * time.Hour, clock: true, libc: "glibc 2.24", total: 512000, available: 204800,
		sockets: []socket{{netip.MustParseAddrPort("127.0.0.1:7433"), "31337"}, {netip.MustParseAddrPort("[::1]:7434"), "31338"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(measured{}, socket{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, err := range map[string]error{
		"3h0m0s behind this machine's": got.checkClock(),
		"the C library is glibc 2.24":  got.checkLibrary(),
		"has 500.0 KiB in all":         got.checkTotal(512001),
		"200.0 KiB are available":      got.checkAvailable(204801),
	} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	fine := parseMeasured("clock 1800000001\nlibc glibc 2.36\n", now, now.Add(time.Second))
	if err := errors.Join(fine.checkClock(), fine.checkLibrary(), fine.checkTotal(1<<40), fine.checkAvailable(1<<40)); err != nil {
		t.Errorf("a device that tells little: %v", err)
	}
}

func FuzzParseMeasured(f *testing.F) {
	f.Add("clock 1\nmemory MemTotal -1\ncgroup 1 2 3\nsocket 00:1 2\n")
	f.Fuzz(func(t *testing.T, out string) {
		m := parseMeasured(out, time.Unix(0, 0), time.Unix(1, 0))
		_ = errors.Join(m.checkClock(), m.checkLibrary(), m.checkTotal(1), m.checkAvailable(1))
		_ = parseLease(out)
	})
}

// What is needed at most while releases change one after the other.
func TestMemoryNeeded(t *testing.T) {
	model := func(bytes int64) *statefile.Model {
		return &statefile.Model{Release: fmt.Sprint(bytes), Gateway: "g", Slices: []statefile.Slice{{Node: "a", MemoryBytes: bytes}}}
	}
	for _, c := range []struct {
		deployments []plan.Deployment
		want        int64
	}{
		{[]plan.Deployment{{To: model(10), Switch: plan.Beside}}, 10},
		{[]plan.Deployment{{From: model(10), To: model(12), Switch: plan.Beside}}, 12},
		{[]plan.Deployment{{From: model(10), To: model(12), Switch: plan.StopFirst}}, 2},
		{[]plan.Deployment{{From: model(10)}, {To: model(12), Switch: plan.Beside}}, 2},
		{[]plan.Deployment{{From: model(5), To: model(5), Switch: plan.Beside}, {To: model(7), Switch: plan.Beside}}, 7},
	} {
		if got := memoryNeeded(&plan.Plan{Deployments: c.deployments}, "a"); got != c.want {
			t.Errorf("%+v: %d, want %d", c.deployments, got, c.want)
		}
	}
}

// A file where edgeplan's folder belongs, or above it, is named by every command.
func TestPathIsAFile(t *testing.T) {
	for path, file := range map[string]string{".edgeplan": ".edgeplan", "data/edgeplan": "data"} {
		c := newCluster(t, "a")
		known := c.nodes["a"]
		known.Path = path
		c.nodes["a"] = known
		m := c.model("net", "1", 7433, "a")
		c.mustApply(models{"net": m})
		at := filepath.Join(c.homes["a"], file)
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
		c.write(at, "mine")
		want := []string{"a: ", at + " is a file, and edgeplan needs a folder there", "set another `path`"}
		mentions(t, c.apply(c.plan(models{"net": c.model("net", "2", 7434, "a")})), want...)
		report := c.examined(c.plan(models{"net": c.model("net", "2", 7434, "a")}))
		if len(report.Findings) == 0 || report.Findings[0].Check != "path" || !strings.Contains(report.Findings[0].Problem, at+" is a file") {
			t.Errorf("%s: %+v", path, report.Findings)
		}
		if file == path {
			_, err := Refresh(context.Background(), c.state(), nil, c.options)
			mentions(t, err, want...)
		}
	}
}
