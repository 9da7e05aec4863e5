package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/statefile"
)

// planOf is the plan between two states, as Build finishes it.
func planOf(from, to *statefile.State) *Plan {
	p := &Plan{Prior: from, Desired: to, configured: map[string]bool{"node.a": true}}
	for node := range to.Nodes {
		p.configured[node] = true
	}
	p.Mode = Normal
	p.Uploads = Uploads(p, Diff(from, to), nil)
	p.derive()
	return p
}

// lines writes changes as the tests expect them: symbol, address, nodes,
// upload, and reasons.
func lines(changes []Change) []string {
	var out []string
	for _, c := range changes {
		line := fmt.Sprintf("%s %s %s>%s %d", c.Action, c.Address,
			strings.TrimPrefix(c.BeforeNode, "node."), strings.TrimPrefix(c.AfterNode, "node."), c.UploadBytes)
		if len(c.Reasons) > 0 {
			line += " # " + strings.Join(c.Reasons, "; ")
		}
		out = append(out, line)
	}
	return out
}

func TestChanges(t *testing.T) {
	none := stateOf(nil)
	two := stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)})
	disabled := pipeline("ab", 4, 2)
	disabled.Optimization = "disabled"

	tests := []struct {
		name     string
		from, to *statefile.State
		want     []string
	}{
		{"nothing to nothing", none, none, nil},
		{"the same", two, two, nil},
		{"first deployment", none, two, []string{
			"+ slice.m[0] >a 6211 # not deployed yet",
			"+ slice.m[1] >b 6215 # not deployed yet",
		}},
		{"destroy", two, none, []string{
			"- slice.m[0] a>  0 # model left the configuration",
			"- slice.m[1] b>  0 # model left the configuration",
		}},
		{"a boundary moves by one segment: one weight and two graphs travel", two,
			stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 3)}), []string{
				"~ slice.m[0] a>a 112 # boundary moved: n0 .. n1 -> n0 .. n2",
				"~ slice.m[1] b>b 10 # boundary moved: n2 .. n3 -> n3 .. n3",
			}},
		{"a stage moves to another device", two,
			stateOf(map[string]statefile.Model{"m": pipeline("ac", 4, 2)}), []string{
				"~ slice.m[0] a>a 0 # neighbour moved",
				"-/+ slice.m[1] b>c 6215 # device left the configuration",
			}},
		{"a third stage", two,
			stateOf(map[string]statefile.Model{"m": pipeline("abc", 4, 2, 3)}), []string{
				"~ slice.m[0] a>a 0 # neighbour moved",
				"~ slice.m[1] b>b 10 # boundary moved: n2 .. n3 -> n2 .. n2",
				"+ slice.m[2] >c 6113 # the pipeline gets another stage",
			}},
		{"a setting", two, stateOf(map[string]statefile.Model{"m": disabled}), []string{
			"~ slice.m[0] a>a 0 # optimization extended -> disabled",
			"~ slice.m[1] b>b 0 # optimization extended -> disabled",
		}},
		{"the gateway loses its stage", two,
			stateOf(map[string]statefile.Model{"m": pipeline("b", 4)}), []string{
				"-/+ slice.m[0] a>b 211 # a better placement was found; boundary moved: n0 .. n1 -> n0 .. n3",
				"- slice.m[1] b>  0 # fewer stages are needed",
				"+ gateway.m >a 0 # the gateway runs no stage",
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			for _, line := range test.want {
				want = append(want, strings.Replace(line, ">  ", "> ", 1))
			}
			if diff := cmp.Diff(want, lines(planOf(test.from, test.to).Changes)); diff != "" {
				t.Errorf("changes differ (-want +got):\n%s", diff)
			}
		})
	}
}

// A deployment that failed before it was recorded leaves its nodes in the state;
// they are cleaned, and not forgotten.
func TestLeftoversAreCleaned(t *testing.T) {
	prior := stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)})
	desired := statefile.Clone(prior)
	prior.Nodes["node.c"] = statefile.Node{Path: ".edgeplan"}
	p := planOf(prior, desired)
	want := []string{"- node.c c> 0 # left over from a deployment that did not finish"}
	if diff := cmp.Diff(want, lines(p.Changes)); diff != "" || p.Empty() {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
}

// carriedOut is what a state's models are after the deployments of a diff.
func carriedOut(from *statefile.State, deployments []Deployment) map[string]statefile.Model {
	models := map[string]statefile.Model{}
	for name, m := range from.Models {
		models[name] = m
	}
	for _, d := range deployments {
		if d.To == nil {
			delete(models, d.Model)
			continue
		}
		models[d.Model] = *d.To
	}
	return models
}

func TestDiffIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawState(t, "a"), drawState(t, "b")
		if d := Diff(a, a); len(d) != 0 {
			t.Fatalf("Diff(a, a) has %d deployments, want none", len(d))
		}
		if diff := cmp.Diff(b.Models, carriedOut(a, Diff(a, b))); diff != "" {
			t.Fatalf("applying Diff(a, b) to a is not b (-b +got):\n%s", diff)
		}
		forth, back := Diff(a, b), Diff(b, a)
		for i := range forth {
			if forth[i].From != nil && back[i].To != nil && forth[i].From.Release != back[i].To.Release {
				t.Fatalf("Diff(a, b) and Diff(b, a) disagree on %s", forth[i].Model)
			}
		}
	})
}

// Every blob that a desired release needs is held by its node before, or uploaded.
func TestUploadsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := planOf(drawState(t, "from"), drawState(t, "to"))
		have := recorded(p.Prior)
		for _, u := range p.Uploads {
			if _, held := have[u.Node][u.Blob.Digest]; held {
				t.Fatalf("%s already has %s", u.Node, u.Blob.Digest)
			}
			if have[u.Node] == nil {
				have[u.Node] = map[string]int64{}
			}
			have[u.Node][u.Blob.Digest] = u.Blob.Size
		}
		var counted int64
		for _, c := range p.Changes {
			counted += c.UploadBytes
		}
		if counted != p.UploadBytes() {
			t.Fatalf("changes count %d bytes, uploads %d", counted, p.UploadBytes())
		}
		for _, d := range p.Deployments {
			if d.To == nil {
				continue
			}
			for _, node := range ReleaseNodes(d.To) {
				for _, blob := range NodeBlobs(d.To, node) {
					if _, held := have[node][blob.Digest]; !held {
						t.Fatalf("%s lacks %s after the uploads", node, blob.Name)
					}
				}
			}
		}
	})
}

func drawState(t *rapid.T, label string) *statefile.State {
	models := map[string]statefile.Model{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"m", "n"}), 0, 2, rapid.ID).Draw(t, label+" models") {
		nodes := rapid.SliceOfNDistinct(rapid.SampledFrom([]rune("abcd")), 1, 3, rapid.ID).Draw(t, label+" nodes")
		const segments = 8
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(1, segments-1), len(nodes)-1, len(nodes)-1, rapid.ID).Draw(t, label+" cuts")
		models[name] = pipeline(string(nodes), segments, sorted(cuts)...)
	}
	return stateOf(models)
}
