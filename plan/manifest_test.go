package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

func sorted(values []int) []int { return slices.Sorted(slices.Values(values)) }

func TestManifests(t *testing.T) {
	s := stateOf(map[string]statefile.Model{"m": pipeline("bc", 4, 2)})
	m := s.Models["m"]
	m.GatewayPort = 7433
	manifests := Manifests("m", &m, s.Nodes)

	gateway := worker.Peer{Node: "node.a", Address: "a.local:7433"}
	b := worker.Peer{Node: "node.b", Address: "b.local:7433"}
	c := worker.Peer{Node: "node.c", Address: "c.local:7433"}
	if got := sortedKeys(manifests); !slices.Equal(got, []string{"node.a", "node.b", "node.c"}) {
		t.Fatalf("manifests for %v, want the gateway and both stages", got)
	}
	if manifests["node.a"].Stage != nil || manifests["node.b"].Gateway != nil {
		t.Error("the gateway has a stage, or a stage is a gateway")
	}
	if diff := cmp.Diff([]worker.Peer{b, c}, []worker.Peer{manifests["node.a"].Gateway.First, manifests["node.a"].Gateway.Last}); diff != "" {
		t.Errorf("gateway's peers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]worker.Peer{gateway, c}, []worker.Peer{manifests["node.b"].Stage.Previous, manifests["node.b"].Stage.Next}); diff != "" {
		t.Errorf("first stage's peers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]worker.Peer{b, gateway}, []worker.Peer{manifests["node.c"].Stage.Previous, manifests["node.c"].Stage.Next}); diff != "" {
		t.Errorf("last stage's peers (-want +got):\n%s", diff)
	}
}

// A release id names everything that runs: whatever changes on any device
// changes it, and nothing else does.
func TestReleaseID(t *testing.T) {
	base := func() (*statefile.Model, map[string]statefile.Node) {
		s := stateOf(map[string]statefile.Model{"m": pipeline("ab", 4, 2)})
		m := s.Models["m"]
		return &m, s.Nodes
	}
	m, nodes := base()
	id := ReleaseID("m", m, nodes)
	if len(id) != releaseDigits || id != m.Release {
		t.Fatalf("release id %q, want %d digits and the same each time (%q)", id, releaseDigits, m.Release)
	}
	tests := []struct {
		name    string
		edit    func(*statefile.Model, map[string]statefile.Node)
		changes bool
	}{
		{"a weight", func(m *statefile.Model, _ map[string]statefile.Node) { m.Slices[1].Weights[0].Digest = "other" }, true},
		{"a graph", func(m *statefile.Model, _ map[string]statefile.Node) { m.Slices[0].Graph.Digest = "other" }, true},
		{"the worker", func(m *statefile.Model, _ map[string]statefile.Node) { m.Programs["node.b"][0].Digest = "other" }, true},
		{"a port", func(m *statefile.Model, _ map[string]statefile.Node) { m.Slices[1].Port++ }, true},
		{"an address", func(_ *statefile.Model, n map[string]statefile.Node) {
			n["node.b"] = statefile.Node{PipelineAddress: "elsewhere"}
		}, true},
		{"threads", func(m *statefile.Model, _ map[string]statefile.Node) { m.Threads = 2 }, true},
		{"the prediction", func(m *statefile.Model, _ map[string]statefile.Node) { m.Prediction.BottleneckSeconds = 1 }, false},
		{"a public key", func(_ *statefile.Model, n map[string]statefile.Node) {
			node := n["node.b"]
			node.PublicKey = "key"
			n["node.b"] = node
		}, false},
		{"the SSH port", func(_ *statefile.Model, n map[string]statefile.Node) {
			node := n["node.b"]
			node.SSH.Port = 2222
			n["node.b"] = node
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, nodes := base()
			test.edit(m, nodes)
			if changed := ReleaseID("m", m, nodes) != id; changed != test.changes {
				t.Errorf("changes the release: %v, want %v", changed, test.changes)
			}
		})
	}
}
