package plan_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/statefile"
)

// cluster is three equal devices on a fast network; tests add to it or change it.
const cluster = `
node "pi" {
  for_each     = toset(["a", "b", "c"])
  address      = "${each.key}.local"
  architecture = "linux/arm64"
  memory       = "256MiB"
  compute      = "1GFLOPS"
}
network "lan" {
  nodes     = values(node.pi)
  bandwidth = "1Gbps"
}
model "m" {
  source = "m.onnx"
}
`

// folder is a configuration with a small model in it.
func folder(t *testing.T, configuration string) string {
	t.Helper()
	dir := t.TempDir()
	model, err := modelbuilder.ResNet(7, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteFile(filepath.Join(dir, "m.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// build plans a folder against a prior state.
func build(t *testing.T, dir string, prior *statefile.State, edit ...func(*plan.Input)) (*plan.Plan, hcl.Diagnostics) {
	t.Helper()
	in := input(t, dir, prior)
	for _, e := range edit {
		e(&in)
	}
	return plan.Build(context.Background(), in)
}

func input(t *testing.T, dir string, prior *statefile.State) plan.Input {
	t.Helper()
	cfg, diags := config.Load(dir, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	in := plan.Input{
		Config:  cfg,
		Chains:  map[string]*onnx.Chain{},
		Workers: map[string]plan.Program{"linux/arm64": program(t, "worker"), "linux/arm": program(t, "worker")},
		Engines: map[string]plan.Program{"linux/arm64": program(t, "engine")},
		Prior:   prior,
		Version: "test",
	}
	for _, model := range cfg.Models {
		chain, err := onnx.Load(context.Background(), model.Source, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in.Chains[model.Name] = chain
	}
	return in
}

func program(t *testing.T, name string) plan.Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
		t.Fatal(err)
	}
	return plan.Program{Path: path, Digest: name, Size: int64(len(name))}
}

func mustBuild(t *testing.T, dir string, prior *statefile.State, edit ...func(*plan.Input)) *plan.Plan {
	t.Helper()
	p, diags := build(t, dir, prior, edit...)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

func TestBuildSpreadsTheModel(t *testing.T) {
	p := mustBuild(t, folder(t, cluster), statefile.New())
	m := p.Models[0]
	if m.Status != solver.Optimal || len(m.Stages) != 3 {
		t.Fatalf("%d stages, %s; want 3 stages on three equal devices, proven optimal", len(m.Stages), m.Status)
	}
	if m.Gateway != `node.pi["a"]` {
		t.Errorf("gateway %s, want the first node", m.Gateway)
	}
	next := 0
	for _, slice := range p.Desired.Models["m"].Slices {
		if slice.FirstSegment != next {
			t.Errorf("slice begins at segment %d, want %d", slice.FirstSegment, next)
		}
		next = slice.LastSegment + 1
	}
	if len(p.Changes) != 3 || p.UploadBytes() == 0 {
		t.Errorf("%d changes and %d bytes, want three slices to create and something to upload", len(p.Changes), p.UploadBytes())
	}
	for _, upload := range p.Uploads {
		checkBlob(t, p, upload.Blob)
	}
}

func checkBlob(t *testing.T, p *plan.Plan, blob statefile.Blob) {
	t.Helper()
	content, err := p.Blobs.Open(blob.Digest)
	if err != nil {
		t.Errorf("open %s: %v", blob.Name, err)
		return
	}
	defer content.Close()
	if n, err := io.Copy(io.Discard, content); err != nil || n != blob.Size {
		t.Errorf("%s has %d bytes, want %d (%v)", blob.Name, n, blob.Size, err)
	}
}

// The same input gives the same plan, and planning against what was planned
// gives nothing to do.
func TestBuildIsStable(t *testing.T) {
	dir := folder(t, cluster)
	first, second := mustBuild(t, dir, statefile.New()), mustBuild(t, dir, statefile.New())
	ignoreLineage := cmpopts.IgnoreFields(statefile.State{}, "Lineage")
	if diff := cmp.Diff(first.Desired, second.Desired, ignoreLineage); diff != "" {
		t.Errorf("two plans of one input differ:\n%s", diff)
	}
	again := mustBuild(t, dir, first.Desired)
	if !again.Empty() || !again.SameState() {
		t.Errorf("planning what was planned has %d changes: %+v", len(again.Changes), again.Changes)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	p := mustBuild(t, dir, deployed, func(in *plan.Input) {
		in.Drift = []plan.Drift{{Model: "m", Node: `node.pi["b"]`, Problem: "the worker is not running"}}
	})
	if len(p.Deployments) != 1 || p.Empty() {
		t.Fatalf("%d deployments, want the model deployed again", len(p.Deployments))
	}
	var reasons []string
	for _, change := range p.Changes {
		reasons = append(reasons, change.Reasons...)
	}
	if !strings.Contains(strings.Join(reasons, "; "), "changed outside of edgeplan: the worker is not running") {
		t.Errorf("reasons %q do not tell of the drift", reasons)
	}
}

// A new release of a model takes ports that the deployed one does not use.
func TestReleasesListenBesideEachOther(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	change := strings.Replace(cluster, `source = "m.onnx"`, "source  = \"m.onnx\"\n  threads = 2", 1)
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(change), 0o644); err != nil {
		t.Fatal(err)
	}
	p := mustBuild(t, dir, deployed)
	before, after := deployed.Models["m"], p.Desired.Models["m"]
	if before.Release == after.Release {
		t.Fatal("another number of threads is the same release")
	}
	for i := range after.Slices {
		if after.Slices[i].Port == before.Slices[i].Port {
			t.Errorf("slice %d listens on port %d in both releases", i, after.Slices[i].Port)
		}
	}
	if p.Deployments[0].Switch != plan.Beside || p.UploadBytes() != 0 {
		t.Errorf("switch %s with %d bytes, want beside and nothing to upload", p.Deployments[0].Switch, p.UploadBytes())
	}
}

// A placement that saves less than the threshold is offered, and taken on demand.
func TestReplanThreshold(t *testing.T) {
	faster := func(compute string) string {
		return strings.Replace(cluster, `compute      = "1GFLOPS"`,
			fmt.Sprintf(`compute = each.key == "c" ? "%s" : "1GFLOPS"`, compute), 1)
	}
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	tests := []struct {
		name    string
		compute string
		replan  bool
		stays   bool
	}{
		{"a little faster", "1.02GFLOPS", false, true},
		{"four times as fast", "4GFLOPS", false, false},
		{"four times as fast, asked for", "4GFLOPS", true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(faster(test.compute)), 0o644); err != nil {
				t.Fatal(err)
			}
			p := mustBuild(t, dir, deployed, func(in *plan.Input) { in.Replan = test.replan })
			if p.Empty() != test.stays {
				t.Errorf("nothing to do: %v, want %v", p.Empty(), test.stays)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	tests := []struct {
		name          string
		configuration string
		summary       string
		detail        string
	}{
		{"a model that fits no device", strings.Replace(cluster, "256MiB", "56MiB", 1),
			"Model does not fit the cluster", "MiB"},
		{"throughput beyond reach", strings.Replace(cluster, `source = "m.onnx"`, "source = \"m.onnx\"\n  require {\n    throughput = 1000000\n  }", 1),
			"Required throughput cannot be met", "requires 1000000 inferences per second"},
		{"latency beyond reach, in the user's words", strings.Replace(cluster, `source = "m.onnx"`, "source = \"m.onnx\"\n  require {\n    latency       = \"1us\"\n    error_message = \"The gate must open at once.\"\n  }", 1),
			"Required latency is not met", "The gate must open at once.\n\nmodel.m requires an answer within 1 us"},
		{"a condition on what a model comes to", cluster + "output \"o\" {\n  value = 1\n  precondition {\n    condition     = model.m.throughput > 1e6\n    error_message = \"Too slow for the gate.\"\n  }\n}\n",
			"Condition not met", "output.o: Too slow for the gate."},
		{"a gateway without room for its buffers", strings.Replace(cluster, `memory       = "256MiB"`, `memory = each.key == "a" ? "1MiB" : "256MiB"`, 1),
			"Gateway has too little memory", "needs 23 MiB"},
		{"only 32-bit devices", strings.Replace(cluster, "linux/arm64", "linux/arm", 1),
			"Model does not fit the cluster", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, diags := build(t, folder(t, test.configuration), statefile.New())
			if p != nil || !diags.HasErrors() {
				t.Fatalf("a plan was made, want the error %q", test.summary)
			}
			err := diags.Errs()[0].(*hcl.Diagnostic)
			if err.Summary != test.summary || !strings.Contains(err.Detail, test.detail) {
				t.Errorf("got %q: %q\nwant %q with %q", err.Summary, err.Detail, test.summary, test.detail)
			}
			if err.Subject == nil {
				t.Error("the error points nowhere")
			}
			t.Log(err.Detail)
		})
	}
}

// twoModels are m and n on the cluster, n with more in its block.
func twoModels(more string) string {
	return cluster + "model \"n\" {\n  source = \"m.onnx\"\n" + more + "}\n"
}

// Two models share the devices: what a node or a radio does for both adds up, each
// worker has a port of its own, and planning again changes nothing.
func TestTwoModels(t *testing.T) {
	dir := folder(t, twoModels("  require {\n    throughput = 2\n  }\n"))
	alone := mustBuild(t, folder(t, cluster), statefile.New()).Models[0].ThroughputPerSecond
	p := mustBuild(t, dir, statefile.New())
	ports, memory := map[string]string{}, map[string]int64{}
	for name, m := range p.Desired.Models {
		for _, slice := range m.Slices {
			at := fmt.Sprint(slice.Node, slice.Port)
			if other, taken := ports[at]; taken {
				t.Errorf("%s and %s listen on port %d of %s", name, other, slice.Port, slice.Node)
			}
			ports[at] = name
			if memory[slice.Node] += slice.MemoryBytes; memory[slice.Node] > 256<<20 {
				t.Errorf("the stages on %s need %d bytes", slice.Node, memory[slice.Node])
			}
		}
	}
	m, n := p.Models[0], p.Models[1]
	if ratio := n.ThroughputPerSecond / m.ThroughputPerSecond; ratio < 1.999 || ratio > 2.001 {
		t.Errorf("throughputs %g and %g; n requires 2 where m counts 1", m.ThroughputPerSecond, n.ThroughputPerSecond)
	}
	if got := m.ThroughputPerSecond; got >= alone || got < alone/3*0.999 { // as if alone's placement ran three times
		t.Errorf("m reaches %g beside twice as much of the same, and %g alone", got, alone)
	}
	if again := mustBuild(t, dir, p.Desired); !again.Empty() || !again.SameState() {
		t.Errorf("planning again has %d changes, want none", len(again.Changes))
	}
}

// A model that is added finds its place around the one that is deployed, when moving
// that would save less than the threshold; when one goes, the other stays.
func TestAddingAModelMovesNoOther(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	config := strings.Replace(twoModels(""), `network "lan"`, "edgeplan {\n  replan_threshold = \"90%\"\n}\nnetwork \"lan\"", 1)
	write(t, dir, config)
	both := mustBuild(t, dir, deployed)
	if len(both.Deployments) != 1 || both.Deployments[0].Model != "n" {
		t.Fatalf("%d deployments, want that of n alone", len(both.Deployments))
	}
	if both.Models[0].ThroughputPerSecond >= deployed.Models["m"].Prediction.ThroughputPerSecond {
		t.Error("the prediction of m is as if it were alone")
	}
	write(t, dir, cluster)
	if after := mustBuild(t, dir, both.Desired); len(after.Deployments) != 1 || after.Deployments[0].To != nil {
		t.Errorf("removing n has %d deployments, want its removal alone", len(after.Deployments))
	}
}

// Models that fit one by one but not together are an error at the one too many.
func TestModelsTooLargeTogether(t *testing.T) {
	dir := folder(t, strings.NewReplacer("256MiB", "75MiB", `"a", "b", "c"`, `"a", "b"`).Replace(twoModels("")))
	_, diags := build(t, dir, statefile.New())
	if !diags.HasErrors() || diags[0].Summary != "Models do not fit the cluster" || !strings.Contains(diags[0].Detail, "model n does not fit beside the other models") {
		t.Fatal(diags)
	}
	if diags[0].Subject == nil {
		t.Error("the error points nowhere")
	}
}

func write(t *testing.T, dir, configuration string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rewrite replaces text of a folder's configuration.
func rewrite(t *testing.T, dir, text, by string) {
	t.Helper()
	changed := strings.Replace(cluster, text, by, 1)
	if changed == cluster {
		t.Fatalf("the configuration has no %q", text)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A better placement that a requirement needs is taken, however small its gain.
func TestRequirementOverridesTheThreshold(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	rewrite(t, dir, `compute      = "1GFLOPS"`, `compute = each.key == "c" ? "1.04GFLOPS" : "1GFLOPS"`)
	offered := mustBuild(t, dir, deployed)
	offer := offered.Models[0].Offer
	if offer == nil || !offered.Empty() {
		t.Fatalf("offer %+v and %d changes, want an offer within the threshold: choose another gain", offer, len(offered.Changes))
	}
	required := fmt.Sprintf("source = \"m.onnx\"\n  require {\n    throughput = %f\n  }",
		(offer.ThroughputPerSecond+offered.Models[0].ThroughputPerSecond)/2)
	changed := strings.Replace(cluster, `compute      = "1GFLOPS"`, `compute = each.key == "c" ? "1.04GFLOPS" : "1GFLOPS"`, 1)
	changed = strings.Replace(changed, `source = "m.onnx"`, required, 1)
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if p := mustBuild(t, dir, deployed); p.Empty() {
		t.Error("the deployed placement was kept although it misses the requirement")
	}
}

func TestPipelinePortChanges(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	rewrite(t, dir, `memory       = "256MiB"`, "memory = \"256MiB\"\n  pipeline_port = 9000")
	p := mustBuild(t, dir, deployed)
	for _, slice := range p.Desired.Models["m"].Slices {
		if slice.Port != 9000 {
			t.Errorf("%s listens on port %d, want 9000", slice.Node, slice.Port)
		}
	}
}

// Nodes that are one machine never listen on one port, also while two releases run.
func TestOneMachine(t *testing.T) {
	dir := folder(t, cluster)
	oneMachine := `address      = "shared.local"
  port          = { a = 22, b = 23, c = 24 }[each.key]
  pipeline_port = { a = 7433, b = 7434, c = 7435 }[each.key]`
	rewrite(t, dir, `address      = "${each.key}.local"`, oneMachine)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	changed := strings.Replace(cluster, `address      = "${each.key}.local"`, oneMachine, 1)
	changed = strings.Replace(changed, `source = "m.onnx"`, "source = \"m.onnx\"\n  threads = 2", 1)
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for _, state := range []*statefile.State{deployed, mustBuild(t, dir, deployed).Desired} {
		for _, slice := range state.Models["m"].Slices {
			if used[slice.Port] {
				t.Errorf("port %d is used twice", slice.Port)
			}
			used[slice.Port] = true
		}
	}
}

// A recorded placement that covers the model in no order is not started from.
func TestRecordedPlacementOutOfOrder(t *testing.T) {
	dir := folder(t, cluster)
	for _, change := range []func([]statefile.Slice){
		func(s []statefile.Slice) { s[0].FirstSegment = -1 },
		func(s []statefile.Slice) { s[1].FirstSegment = s[1].LastSegment + 2 },
		func(s []statefile.Slice) { s[1].FirstSegment-- },
		func(s []statefile.Slice) { s[1].LastSegment = -7 },
	} {
		deployed := mustBuild(t, dir, statefile.New()).Desired
		change(deployed.Models["m"].Slices)
		mustBuild(t, dir, deployed)
	}
}

// A model that takes no time on a fast device still has a throughput that is a number.
func TestModelOfNoWork(t *testing.T) {
	dir := folder(t, strings.Replace(cluster, "1GFLOPS", "20TFLOPS", 1))
	b := modelbuilder.New("reshape", 7)
	b.Output(b.Node("Identity", []string{b.Input("x", tensor.Float32, int64(1), int64(4))}))
	model, err := b.Model()
	if err == nil {
		err = model.WriteFile(filepath.Join(dir, "m.onnx"))
	}
	if err != nil {
		t.Fatal(err)
	}
	p := mustBuild(t, dir, statefile.New())
	if _, err := statefile.EncodeState(p.Desired); err != nil {
		t.Error(err)
	}
	if _, err := (&plan.Saved{Plan: p}).Encode(); err != nil {
		t.Error(err)
	}
}

// No worker listens where clients are to be served.
func TestClientPortsAreLeftFree(t *testing.T) {
	dir := folder(t, strings.Replace(cluster, `source = "m.onnx"`, "source = \"m.onnx\"\n  client {\n    http_port = 7433\n    grpc_port = 7434\n  }", 1))
	m := mustBuild(t, dir, statefile.New()).Desired.Models["m"]
	if m.GatewayPort < 7435 {
		t.Errorf("the gateway listens on port %d, where it serves clients", m.GatewayPort)
	}
}
