package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// without leaves out nodes, as -exclude does.
func without(t *testing.T, nodes ...string) func(*plan.Input) {
	return func(in *plan.Input) {
		t.Helper()
		excluded, err := plan.Excluded(nodes, in.Config, in.Prior)
		if err != nil {
			t.Fatal(err)
		}
		in.Excluded, in.Config = excluded, plan.Without(in.Config, excluded)
	}
}

const (
	nodeA = `node.pi["a"]`
	nodeB = `node.pi["b"]`
	nodeC = `node.pi["c"]`
)

// What was on the excluded device is placed on the others; the state goes on to remember
// the device; a second plan has nothing to do; and the first one without -exclude that
// does not need the device removes what is left there.
func TestExclude(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	p := mustBuild(t, dir, deployed, without(t, nodeC))
	m := p.Desired.Models["m"]
	if diff := cmp.Diff([]string{nodeA, nodeB}, plan.ReleaseNodes(&m)); diff != "" {
		t.Fatalf("placed on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(deployed.Nodes[nodeC], p.Desired.Nodes[nodeC]); diff != "" {
		t.Errorf("the state's knowledge of the excluded device changed:\n%s", diff)
	}
	if reasons := reasonsOf(p); !strings.Contains(reasons, "device is excluded") {
		t.Errorf("no change says that the device is excluded: %s", reasons)
	}
	again := mustBuild(t, dir, p.Desired, without(t, nodeC))
	if !again.Empty() || !again.SameState() {
		t.Errorf("a second plan does %v, same state %v", symbols(again), again.SameState())
	}
	disabled := folder(t, strings.Replace(cluster, `for_each     = toset(["a", "b", "c"])`, `for_each     = toset(["a", "b", "c"])
  enabled  = each.key != "c"`, 1))
	back := mustBuild(t, disabled, p.Desired)
	if diff := cmp.Diff([]string{"- " + nodeC}, symbols(back)); diff != "" {
		t.Errorf("once it is back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{nodeC}, back.Disabled); diff != "" {
		t.Errorf("disabled:\n%s", diff)
	}
}

func reasonsOf(p *plan.Plan) string {
	var all []string
	for _, c := range p.Changes {
		all = append(all, c.Reasons...)
	}
	return strings.Join(all, "; ")
}

// With -exclude a plan is the one that enabled = false gives, but for the state.
func TestExcludeIsAsDisabled(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	excluded := mustBuild(t, dir, deployed, without(t, nodeB))
	disabled := mustBuild(t, folder(t, strings.Replace(cluster, `for_each     = toset(["a", "b", "c"])`, `for_each     = toset(["a", "b", "c"])
  enabled  = each.key != "b"`, 1)), deployed)
	if diff := cmp.Diff(disabled.Desired.Models, excluded.Desired.Models); diff != "" {
		t.Errorf("models (-disabled +excluded):\n%s", diff)
	}
}

// A gateway that the configuration does not name moves; one that it names cannot.
func TestExcludeGateway(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	if p := mustBuild(t, dir, deployed, without(t, nodeA)); p.Desired.Models["m"].Gateway != nodeB {
		t.Errorf("gateway %s, want the next node", p.Desired.Models["m"].Gateway)
	}
	named := folder(t, strings.Replace(cluster, `source = "m.onnx"`, "source = \"m.onnx\"\n  gateway = node.pi[\"a\"]", 1))
	_, diags := build(t, named, deployed, without(t, nodeA))
	if !diags.HasErrors() || !strings.Contains(diags[0].Detail, "the configuration names it") {
		t.Errorf("diagnostics %v", diags)
	}
}

func TestExcludeTypo(t *testing.T) {
	state := &statefile.State{Nodes: map[string]statefile.Node{nodeA: {}}}
	cfg := &config.Config{Nodes: []*config.Node{{Address: `node.pi["hall"]`}}}
	for given, want := range map[string]string{
		`node.pi[hall]`:    `Did you mean node.pi["hall"]? Mind the shell`,
		`node.pi["hal"]`:   `Did you mean node.pi["hall"]?`,
		"model.classifier": "Choose from node.pi",
	} {
		if _, err := plan.Excluded([]string{given}, cfg, state); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-exclude=%s: %v, want %q", given, err, want)
		}
	}
	if got, err := plan.Excluded([]string{nodeA, `node.pi["hall"]`, nodeA}, nil, &statefile.State{Nodes: map[string]statefile.Node{nodeA: {}, `node.pi["hall"]`: {}}}); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Destroying leaves the state what it knows of an excluded device.
func TestDestroyExclude(t *testing.T) {
	deployed := mustBuild(t, folder(t, cluster), statefile.New()).Desired
	p := plan.Destroy(deployed, nodeC)
	if len(p.Desired.Nodes) != 1 || len(p.Desired.Models) != 0 || p.Empty() {
		t.Errorf("nodes %v, models %v, changes %v", p.Desired.Nodes, p.Desired.Models, symbols(p))
	}
}

// Where only the current link is gone no worker is started again, and nothing pauses.
func TestRepairWithoutRestartPausesNothing(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	for restart, want := range map[bool]plan.Switch{false: plan.Beside, true: plan.StopFirst} {
		drift := []plan.Drift{{Model: "m", Node: nodeB, Problem: "something", Restart: restart}}
		p := mustBuild(t, dir, deployed, func(in *plan.Input) { in.Drift, in.Refreshed = drift, true })
		if len(p.Deployments) != 1 || p.Deployments[0].Switch != want {
			t.Errorf("restart %v: %+v, want %s", restart, p.Deployments, want)
		}
	}
}

// A refresh takes in another key of a worker.
func TestRefreshOnlyRecordsKeys(t *testing.T) {
	dir := folder(t, cluster)
	deployed := mustBuild(t, dir, statefile.New()).Desired
	drift := []plan.Drift{{Model: "m", Node: nodeB, Problem: "key rotated", NewKey: true, PublicKey: "AAAA"}}
	p, diags := plan.Refresh(plan.Input{Config: input(t, dir, deployed).Config, Prior: deployed, Drift: drift, Refreshed: true})
	if diags.HasErrors() || p.Desired.Nodes[nodeB].PublicKey != "AAAA" || p.SameState() || !p.Empty() {
		t.Errorf("%v: key %q, changes %v", diags, p.Desired.Nodes[nodeB].PublicKey, symbols(p))
	}
}
