package plan_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// thrice deploys a model with one thread, two and three, as the configuration
// keeps releases, and gives the state after each.
func thrice(t *testing.T, dir, settings string) []*statefile.State {
	t.Helper()
	states := []*statefile.State{statefile.New()}
	for _, threads := range []string{"1", "2", "3"} {
		write(t, dir, settings+strings.Replace(cluster, `source = "m.onnx"`, "source  = \"m.onnx\"\n  threads = "+threads, 1))
		states = append(states, mustBuild(t, dir, states[len(states)-1]).Desired)
	}
	return states[1:]
}

func earlierReleases(s *statefile.State) []string {
	var list []string
	for _, m := range s.Earlier["m"] {
		list = append(list, m.Release)
	}
	return list
}

// Devices keep as many releases as keep_releases says, the latest first.
func TestEarlierReleases(t *testing.T) {
	for settings, kept := range map[string]int{"": 1, "edgeplan {\n  keep_releases = 1\n}\n": 0, "edgeplan {\n  keep_releases = 3\n}\n": 2} {
		dir := folder(t, cluster)
		states := thrice(t, dir, settings)
		want := []string{states[1].Models["m"].Release, states[0].Models["m"].Release}[:kept]
		if got := earlierReleases(states[2]); !slices.Equal(got, want) {
			t.Errorf("%q keeps %v, want %v", settings, got, want)
		}
		if p := mustBuild(t, dir, states[2]); !p.Empty() || !p.SameState() || !slices.Equal(earlierReleases(p.Desired), want) {
			t.Errorf("%q: the plan after it is not empty, or forgets %v", settings, want)
		}
	}
}

// A release with a part on a device that leaves the configuration is no longer
// kept; fewer releases to keep count with the next one.
func TestEarlierReleaseOfADeviceThatLeft(t *testing.T) {
	dir := folder(t, cluster)
	states := thrice(t, dir, "edgeplan {\n  keep_releases = 3\n}\n")
	if p := mustBuild(t, dir, states[2]); len(earlierReleases(p.Desired)) != 2 {
		t.Fatal("nothing changed, and something is not kept")
	}
	rewrite(t, dir, `["a", "b", "c"]`, `["a", "b"]`)
	p := mustBuild(t, dir, states[2])
	for _, m := range p.Desired.Earlier["m"] {
		if slices.Contains(plan.ReleaseNodes(&m), `node.pi["c"]`) {
			t.Errorf("release %s is kept, and its device has left", m.Release)
		}
	}
	if _, stays := p.Desired.Nodes[`node.pi["c"]`]; stays || p.Empty() {
		t.Error("the device that left stays")
	}
}

// A rollback changes places: twice is as before. With the configuration both
// releases run beside each other and outputs are those of the release; without it
// the deployed one stops first and outputs stay.
func TestRollbackChangesPlaces(t *testing.T) {
	dir := folder(t, cluster)
	states := thrice(t, dir, "output \"release\" {\n  value = model.m.release\n}\n")
	before := states[2]
	in := input(t, dir, before)
	for name, c := range map[string]struct {
		in   plan.Input
		how  plan.Switch
		both bool
	}{
		"with the configuration":    {in, plan.Beside, true},
		"without the configuration": {plan.Input{Prior: before}, plan.StopFirst, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, diags, err := plan.Rollback(c.in, "m")
			if err != nil || diags.HasErrors() {
				t.Fatal(err, diags)
			}
			if p.Desired.Models["m"].Release != states[1].Models["m"].Release || p.UploadBytes() != 0 || p.Deployments[0].Switch != c.how {
				t.Errorf("to %s, %d bytes, %s", p.Desired.Models["m"].Release, p.UploadBytes(), p.Deployments[0].Switch)
			}
			if recorded := string(p.Desired.Outputs["release"]); c.both != (recorded == `"`+states[1].Models["m"].Release+`"`) {
				t.Errorf("the output is %s", recorded)
			}
			for _, change := range p.Changes {
				if change.Action != plan.Update || len(change.Reasons) == 0 {
					t.Errorf("%+v", change)
				}
			}
			c.in.Prior = p.Desired
			again, _, err := plan.Rollback(c.in, "m")
			if err != nil {
				t.Fatal(err)
			}
			a, _ := json.Marshal(again.Desired)
			b, _ := json.Marshal(before)
			if string(a) != string(b) {
				t.Errorf("twice is not as before:\n%s\n%s", a, b)
			}
		})
	}
}

// What cannot be rolled back, and why.
func TestRollbackRefused(t *testing.T) {
	dir := folder(t, cluster)
	states := thrice(t, dir, "")
	if _, _, err := plan.Rollback(input(t, dir, states[0]), "m"); !errors.Is(err, plan.ErrNoEarlier) {
		t.Errorf("deployed once: %v", err)
	}
	if _, _, err := plan.Rollback(input(t, dir, states[2]), "n"); err == nil || !strings.Contains(err.Error(), `"n" is not deployed: m are`) {
		t.Errorf("another model: %v", err)
	}
	taken := statefile.Clone(states[2])
	taken.Models["n"] = taken.Earlier["m"][0]
	if _, _, err := plan.Rollback(plan.Input{Prior: taken}, "m"); err == nil || !strings.Contains(err.Error(), "model n listens on") {
		t.Errorf("its ports are taken: %v", err)
	}
}
