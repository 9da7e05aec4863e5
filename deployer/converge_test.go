package deployer

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/config"
	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
)

var histories = flag.Int("histories", 8, "how many random histories TestPlanAfterApplyIsEmpty goes through")

// TestPlanAfterApplyIsEmpty goes through random configurations, one after the
// other on the same devices. Each is planned and applied while something goes
// wrong at a random place, or nothing does, and devices change in between. Then
// the apply is done again without faults, and a plan after that has nothing to do
// and nothing to record.
func TestPlanAfterApplyIsEmpty(t *testing.T) {
	defer func(before string) { flag.Set("rapid.checks", before) }(flag.Lookup("rapid.checks").Value.String())
	flag.Set("rapid.checks", fmt.Sprint(*histories))
	h := newHistory(t)
	var failed, applied int
	rapid.Check(t, func(rt *rapid.T) {
		c := bareCluster(t)
		for _, name := range []string{"a", "b", "c"} {
			c.addDevice(name, embedded.Options{})
			c.nodes["node."+name], c.homes["node."+name] = c.nodes[name], c.homes[name] // as plans call it
		}
		for range rapid.IntRange(1, 3).Draw(rt, "configurations") {
			applied++
			text := drawConfiguration(rt, c)
			if h.disturbed(rt, c, text) {
				failed++
			}
			h.converge(rt, c, text)
			c.disturb(rt)
		}
	})
	t.Logf("%d applies, of which %d failed at a random place, and all converged", applied, failed)
}

// history is what all plans are made of.
type history struct {
	dir             string
	chains          map[string]*onnx.Chain // by model file
	workers, engine plan.Program
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{dir: t.TempDir(), chains: map[string]*onnx.Chain{}}
	for seed, file := range []string{"one.onnx", "two.onnx"} {
		model, err := modelbuilder.ResNet(uint64(seed), modelbuilder.Small())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(h.dir, file)
		if err := model.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		if h.chains[path], err = onnx.Load(t.Context(), path, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	h.workers = h.program(t, "worker", fakeWorker(t))
	h.engine = h.program(t, "engine", []byte("engine"))
	return h
}

func (h *history) program(t *testing.T, name string, content []byte) plan.Program {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return plan.Program{Path: path, Digest: plan.DigestOf(content), Size: int64(len(content))}
}

// drawConfiguration draws nodes, a network and models.
func drawConfiguration(t *rapid.T, c *cluster) string {
	var b strings.Builder
	nodes := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "nodes")
	var addresses []string
	for _, name := range nodes {
		known := c.nodes[name]
		fmt.Fprintf(&b, "node %q {\n  address = %q\n  port = %d\n  user = \"pi\"\n  identity_file = %q\n  host_key = %q\n  architecture = %q\n",
			name, known.SSH.Host, known.SSH.Port, known.SSH.IdentityFile, known.SSH.HostKey, known.Architecture)
		fmt.Fprintf(&b, "  memory = \"%dMiB\"\n  compute = \"%dMFLOPS\"\n  pipeline_address = %q\n  pipeline_port = %d\n}\n",
			rapid.SampledFrom([]int{80, 130, 300}).Draw(t, "memory"), rapid.IntRange(100, 2000).Draw(t, "compute"),
			known.PipelineAddress, rapid.SampledFrom([]int{7433, 9000}).Draw(t, "port"))
		addresses = append(addresses, "node."+name)
	}
	fmt.Fprintf(&b, "network \"lan\" {\n  nodes = [%s]\n  bandwidth = \"%dMbps\"\n  shared = %v\n}\n",
		strings.Join(addresses, ", "), rapid.IntRange(1, 1000).Draw(t, "bandwidth"), rapid.Bool().Draw(t, "shared"))
	for _, model := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"m", "n"}), 0, 2, rapid.ID).Draw(t, "models") {
		fmt.Fprintf(&b, "model %q {\n  source = %q\n  gateway = %s\n  optimization = %q\n  threads = %d\n}\n", model,
			rapid.SampledFrom([]string{"one.onnx", "two.onnx"}).Draw(t, "source"), rapid.SampledFrom(addresses).Draw(t, "gateway"),
			rapid.SampledFrom([]string{"disabled", "extended", "all"}).Draw(t, "optimization"), rapid.IntRange(0, 2).Draw(t, "threads"))
		fmt.Fprintf(&b, "output %q {\n  value = model.%s.release\n}\n", model, model)
	}
	return b.String()
}

// plan is what a configuration asks for now; nil when no placement fits.
func (h *history) plan(t *rapid.T, c *cluster, text string) *plan.Plan {
	if err := os.WriteFile(filepath.Join(h.dir, "main.edgeplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := config.Load(h.dir, config.Options{})
	if diags.HasErrors() {
		t.Fatalf("%v in\n%s", diags, text)
	}
	arch := c.nodes["a"].Architecture
	in := plan.Input{Config: cfg, Chains: map[string]*onnx.Chain{}, Prior: c.state(), Refreshed: true, Version: version.Version,
		Workers: map[string]plan.Program{arch: h.workers}, Engines: map[string]plan.Program{arch: h.engine}}
	skip := map[string]bool{}
	for node := range in.Prior.Nodes {
		skip[node] = true
	}
	for _, node := range cfg.Nodes {
		delete(skip, node.Address)
	}
	seen, err := Refresh(context.Background(), in.Prior, skip, c.options)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	in.Drift, in.Held = seen.Drift, seen.Held
	for _, model := range cfg.Models {
		in.Chains[model.Name] = h.chains[model.Source]
	}
	p, diags := plan.Build(context.Background(), in)
	if diags.HasErrors() {
		t.Logf("not planned: %v", diags)
	}
	return p
}

// disturbed applies a configuration while one operation of one device fails, if
// there are so many, and says whether the apply did.
func (h *history) disturbed(t *rapid.T, c *cluster, text string) bool {
	p := h.plan(t, c, text)
	if p == nil {
		return false
	}
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "faulty")
	at := rapid.IntRange(0, 120).Draw(t, "operation")
	how := rapid.SampledFrom([]embedded.Action{embedded.Fail, embedded.Drop, embedded.DropAfter}).Draw(t, "fault")
	var n atomic.Int64
	c.devices[name].SetFault(func(embedded.Operation) embedded.Action {
		if n.Add(1) == int64(at) {
			return how
		}
		return embedded.Proceed
	})
	err := h.apply(c, p)
	c.devices[name].SetFault(nil)
	if err != nil {
		t.Logf("operation %d of %s: %v", at, name, err)
	}
	return err != nil
}

func (h *history) apply(c *cluster, p *plan.Plan) error {
	if p.Empty() {
		if p.SameState() {
			return nil
		}
		return c.recorder.Record(p.Desired)
	}
	return c.apply(p)
}

// converge applies until nothing is left to do, which has to be soon.
func (h *history) converge(t *rapid.T, c *cluster, text string) {
	for range 2 {
		p := h.plan(t, c, text)
		if p == nil {
			return // no placement: what is deployed stays
		}
		if err := h.apply(c, p); err != nil {
			t.Fatalf("an apply without a fault: %v", err)
		}
	}
	p := h.plan(t, c, text)
	if !p.Empty() || !p.SameState() {
		t.Fatalf("plan(apply(plan)) has changes %+v, drift %+v and a state that differs:\n%s",
			p.Changes, p.Drift, cmp.Diff(p.Prior, p.Desired))
	}
}

// disturb lets a worker die or a file vanish on a device.
func (c *cluster) disturb(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "disturbed")
	pattern := rapid.SampledFrom([]string{"*/current/running", "*/current/slice.onnx", "*/current/manifest.json", "*/current", "blobs/sha256/*", "key.pem"}).Draw(t, "what")
	found, err := filepath.Glob(filepath.Join(c.root(name), pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}
