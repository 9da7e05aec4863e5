package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// two is a cluster of six devices with two models and an output of each.
var two = strings.Replace(cluster, `["a", "b", "c"]`, `["a", "b", "c", "d", "e", "f"]`, 1) + `
model "n" {
  source = "m.onnx"
}
output "m" {
  value = floor(model.m.throughput)
}
output "n" {
  value = floor(model.n.throughput)
}
`

func target(targets ...string) func(*plan.Input) {
	return func(in *plan.Input) { in.Targets = targets }
}

// symbols are the changes of a plan, short.
func symbols(p *plan.Plan) []string {
	var list []string
	for _, c := range p.Changes {
		list = append(list, string(c.Action)+" "+c.Address)
	}
	return list
}

func TestTargets(t *testing.T) {
	dir := folder(t, two)
	one := mustBuild(t, dir, statefile.New(), target("model.m"))
	if _, planned := one.Desired.Models["n"]; planned || len(one.Desired.Models) != 1 {
		t.Fatalf("models %v are planned, want m alone", one.Desired.Models)
	}
	if got := one.Outputs; len(got) != 2 || got[0].Unknown || !got[1].Unknown {
		t.Errorf("outputs %+v: that of n is known only once n is deployed", got)
	}
	if _, recorded := one.Desired.Outputs["n"]; recorded {
		t.Error("an output without a value is recorded")
	}

	// The other follows. The first has taken all devices, so they share them; that
	// the prediction does not count the first is said.
	both, diags := build(t, dir, one.Desired, target("model.n"))
	if len(diags) != 1 || diags[0].Severity != hcl.DiagWarning || diags[0].Summary != "Prediction leaves out other models" {
		t.Fatalf("diagnostics %v, want a warning", diags)
	}
	if diff := cmp.Diff(one.Desired.Models["m"], both.Desired.Models["m"]); diff != "" {
		t.Errorf("model.m changes although it is not targeted:\n%s", diff)
	}
	for _, change := range both.Changes {
		if change.Model != "n" {
			t.Errorf("%s changes although its model is not targeted", change.Address)
		}
	}
}

// A model that has left the configuration can be targeted: it is removed, and alone.
func TestTargetOfARemovedModel(t *testing.T) {
	dir := folder(t, two)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	alone := folder(t, cluster)
	p := mustBuild(t, alone, deployed, target("model.n"))
	if _, kept := p.Desired.Models["m"]; !kept || len(p.Desired.Models) != 1 {
		t.Errorf("models %v stay, want m", p.Desired.Models)
	}
	for _, change := range p.Changes {
		if change.Model != "n" || change.Action != plan.Delete {
			t.Errorf("%s %s, want only slices of n to be deleted", change.Action, change.Address)
		}
	}
}

func TestDestroyTargets(t *testing.T) {
	deployed := mustBuild(t, folder(t, two), statefile.New()).Desired
	p, err := plan.DestroyTargets(deployed, nil, []string{"model.n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range p.Changes {
		if change.Model != "n" {
			t.Errorf("%s is destroyed, want slices of n alone", change.Address)
		}
	}
	for _, slice := range deployed.Models["m"].Slices {
		if _, known := p.Desired.Nodes[slice.Node]; !known {
			t.Errorf("%s is forgotten, and model.m runs there", slice.Node)
		}
	}
}

// The outputs of a model go with it, where the configuration tells which those are; the
// last model takes all of them along.
func TestDestroyTargetsDropsOutputs(t *testing.T) {
	dir := folder(t, two)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	cfg, diags := config.Load(dir, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, c := range []struct {
		cfg     *config.Config
		targets []string
		gone    []string
	}{
		{cfg, []string{"model.n"}, []string{"n"}},
		{nil, []string{"model.n"}, nil},
		{nil, []string{"model.m", "model.n"}, []string{"m", "n"}},
	} {
		p, err := plan.DestroyTargets(deployed, c.cfg, c.targets)
		if err != nil {
			t.Fatal(err)
		}
		var gone []string
		for _, o := range p.Outputs {
			if o.Action != plan.Delete {
				t.Errorf("%s output.%s", o.Action, o.Name)
			}
			gone = append(gone, o.Name)
		}
		if diff := cmp.Diff(c.gone, gone); diff != "" || len(p.Desired.Outputs) != 2-len(c.gone) {
			t.Errorf("%v: outputs that go (-want +got):\n%s", c.targets, diff)
		}
	}
}

// A slice is pushed again alone, and its model stays the release it is.
func TestReplace(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	p := mustBuild(t, dir, deployed, func(in *plan.Input) { in.Replace = []string{"slice.m[1]"} })
	if diff := cmp.Diff([]string{"-/+ slice.m[1]"}, symbols(p)); diff != "" {
		t.Errorf("changes differ:\n%s", diff)
	}
	node := deployed.Models["m"].Slices[1].Node
	var want int64
	for _, blob := range plan.NodeBlobs(model(deployed, "m"), node) {
		want += blob.Size
	}
	if p.UploadBytes() != want || !slices.Equal(p.Deployments[0].Replace, []string{node}) {
		t.Errorf("%d bytes to %v, want all %d bytes of %s", p.UploadBytes(), p.Deployments[0].Replace, want, node)
	}
	all := mustBuild(t, dir, deployed, func(in *plan.Input) { in.Replace = []string{"model.m"} })
	if len(all.Changes) != 3 {
		t.Errorf("changes %v, want all three slices", symbols(all))
	}
}

func model(s *statefile.State, name string) *statefile.Model {
	m := s.Models[name]
	return &m
}

func TestOptionsRefused(t *testing.T) {
	dir := folder(t, two)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	tests := []struct {
		targets, replace []string
		want             string
	}{
		{[]string{"model.x"}, nil, "neither the configuration nor the state has it. Did you mean model.m?"},
		{[]string{"modell"}, nil, "neither the configuration nor the state has it."},
		{[]string{"slice.m[0]"}, nil, "target its model: -target=model.m"},
		{[]string{`node.pi["a"]`}, nil, "-target=model.m or -target=model.n"},
		{nil, []string{"slice.m[9]"}, "no such slice or model is deployed. Did you mean slice.m[0]?"},
		{nil, []string{`node.pi["a"]`}, "among them slice.m[0], slice.m[1]"},
		{[]string{"model.n"}, []string{"slice.m[0]"}, "-target leaves model.m out"},
	}
	for _, test := range tests {
		_, diags := build(t, dir, deployed, func(in *plan.Input) { in.Targets, in.Replace = test.targets, test.replace })
		if !diags.HasErrors() || !strings.Contains(diags.Error(), test.want) {
			t.Errorf("-target %v -replace %v: %v, want %q", test.targets, test.replace, diags, test.want)
		}
	}
}

// In a repair only the workers that are touched are changes; another key touches all.
func TestRepairsTellTheTruth(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	drift := plan.Drift{Model: "m", Node: deployed.Models["m"].Slices[1].Node, Problem: "the worker is not running"}
	for _, newKey := range []bool{false, true} {
		drift.NewKey = newKey
		p := mustBuild(t, dir, deployed, func(in *plan.Input) { in.Drift, in.Refreshed = []plan.Drift{drift}, true })
		want := []string{"~ slice.m[1]"}
		if newKey {
			want = []string{"~ slice.m[0]", "~ slice.m[1]", "~ slice.m[2]"}
		}
		if diff := cmp.Diff(want, symbols(p)); diff != "" {
			t.Errorf("another key: %v: changes differ:\n%s", newKey, diff)
		}
	}
}

func TestRefreshChangesNoDevice(t *testing.T) {
	dir := folder(t, two)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	prior := statefile.Clone(deployed)
	prior.Outputs["m"] = json.RawMessage("1")
	drift := []plan.Drift{{Model: "m", Node: `node.pi["a"]`, Problem: "the worker is not running"}}
	in := input(t, dir, prior)
	in.Drift, in.Refreshed = drift, true
	p, diags := plan.Refresh(in)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if len(p.Deployments) != 0 || !p.Empty() || p.SameState() {
		t.Errorf("%d deployments, changes %v; want an output to record and nothing else", len(p.Deployments), symbols(p))
	}
	if diff := cmp.Diff(deployed.Outputs, p.Desired.Outputs); diff != "" {
		t.Errorf("outputs differ:\n%s", diff)
	}
}
