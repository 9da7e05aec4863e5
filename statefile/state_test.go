package statefile

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// testLineage is a lineage as New makes them.
const testLineage = "6f1f0c1e-93b5-4d8e-8f5e-2f8e6d0c7a11"

// sample is a small deployed pipeline: two stages on two nodes.
func sample() *State {
	image := tensor.Info{Name: "image", Type: tensor.Float32, Shape: []int64{1, 3, 8, 8}}
	features := tensor.Info{Name: "features", Type: tensor.Float32, Shape: []int64{1, 16}}
	scores := tensor.Info{Name: "scores", Type: tensor.Float32, Shape: []int64{1, 4}}
	return &State{
		FormatVersion: FormatVersion, EdgeplanVersion: "0.1.0", Serial: 7, Lineage: testLineage,
		Nodes: map[string]Node{
			`node.pi["hall"]`: {SSH: SSH{Host: "hall.local", Port: 22, User: "pi"}, Path: ".edgeplan",
				Architecture: "linux/arm64", PipelineAddress: "hall.local", PublicKey: "a2V5"},
			`node.pi["gate"]`: {SSH: SSH{Host: "gate.local", Port: 2222, User: "pi", HostKey: "ssh-ed25519 AAAA"},
				Path: "/srv/edgeplan", Architecture: "linux/amd64", PipelineAddress: "10.0.0.2"},
		},
		Models: map[string]Model{"net": {
			Release: "0123456789ab", SourceDigest: strings.Repeat("5", 64), Optimization: "extended",
			Queue: 2, Gateway: `node.pi["hall"]`, GatewayPort: 7433, TimeoutSeconds: 30,
			Inputs: []tensor.Info{image}, Outputs: []tensor.Info{scores},
			Slices: []Slice{
				{Node: `node.pi["hall"]`, LastSegment: 3, FirstNode: "conv1", LastNode: "pool", Port: 7433,
					Inputs: []tensor.Info{image}, Outputs: []tensor.Info{features},
					Graph:   Blob{Name: "slice.onnx", Digest: strings.Repeat("a", 64), Size: 900},
					Weights: []Blob{{Name: strings.Repeat("b", 64), Digest: strings.Repeat("b", 64), Size: 4096}}},
				{Node: `node.pi["gate"]`, FirstSegment: 4, LastSegment: 5, FirstNode: "fc", LastNode: "softmax", Port: 7433,
					Inputs: []tensor.Info{features}, Outputs: []tensor.Info{scores},
					Graph: Blob{Name: "slice.onnx", Digest: strings.Repeat("c", 64), Size: 500}},
			},
			Programs:   map[string][]Blob{`node.pi["hall"]`: {{Name: "edgeplan-worker", Digest: strings.Repeat("d", 64), Size: 1 << 23}}},
			Prediction: Prediction{ThroughputPerSecond: 20, BottleneckSeconds: 0.05, Bottleneck: "network wifi", Status: "optimal"},
		}},
		Outputs: map[string]json.RawMessage{"throughput": json.RawMessage(`20`), "note": json.RawMessage(`{"a":"x < y"}`)},
	}
}

// The file as people see it in a diff is pinned by testdata/sample.json.
func TestEncodeStateGolden(t *testing.T) {
	got, err := EncodeState(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "sample.json")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
	if !strings.Contains(string(got), `x < y`) {
		t.Error("`<` was escaped")
	}
}

func TestEncodeStateIsDeterministic(t *testing.T) {
	first, err := EncodeState(sample())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := EncodeState(sample())
		if err != nil || string(again) != string(first) {
			t.Fatalf("the same state gave other bytes (error %v)", err)
		}
	}
}

func TestEncodeStateRefusesWhatJSONCannotHold(t *testing.T) {
	infinite, untyped, output := sample(), sample(), sample()
	model := infinite.Models["net"]
	model.Prediction.LatencySeconds = math.Inf(1)
	infinite.Models["net"] = model
	untyped.Models["net"].Inputs[0].Type = tensor.Undefined
	output.Outputs["broken"] = json.RawMessage(`{`)
	for name, state := range map[string]*State{"infinite": infinite, "untyped": untyped, "output": output} {
		if _, err := EncodeState(state); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestNewLineagesDiffer(t *testing.T) {
	a, b := New(), New()
	if a.Lineage == b.Lineage {
		t.Errorf("two new states share the lineage %s", a.Lineage)
	}
	if err := checkLineage(a.Lineage); err != nil {
		t.Error(err)
	}
	if a.Lineage[14] != '4' || !strings.Contains("89ab", a.Lineage[19:20]) {
		t.Errorf("%s is no UUID of version 4", a.Lineage)
	}
}

// stateGenerator draws states from the shapes that a state can have.
func stateGenerator() *rapid.Generator[*State] {
	return rapid.Custom(func(t *rapid.T) *State {
		s := &State{FormatVersion: FormatVersion, EdgeplanVersion: "0.1.0", Lineage: testLineage}
		s.Serial = rapid.Uint64Range(1, maxSerial).Draw(t, "serial")
		s.Nodes = rapid.MapOfN(rapid.String(), nodeGenerator(), 1, -1).Draw(t, "nodes")
		s.Models = rapid.MapOfN(rapid.String(), modelGenerator(sortedKeys(s.Nodes)), 0, 3).Draw(t, "models")
		s.Outputs = map[string]json.RawMessage{"n": json.RawMessage(rapid.StringMatching(`[1-9][0-9]{0,5}`).Draw(t, "n"))}
		return s
	})
}

func nodeGenerator() *rapid.Generator[Node] {
	return rapid.Custom(func(t *rapid.T) Node {
		return Node{SSH: SSH{Host: rapid.String().Draw(t, "host"), Port: rapid.IntRange(0, 65535).Draw(t, "port")},
			Path: rapid.String().Draw(t, "path"), PublicKey: rapid.String().Draw(t, "key")}
	})
}

// modelGenerator draws models that run on some nodes.
func modelGenerator(nodes []string) *rapid.Generator[Model] {
	infos := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tensor.Info {
		return tensor.Info{Name: rapid.String().Draw(t, "name"),
			Type:  tensor.Type(rapid.IntRange(1, 16).Draw(t, "type")),
			Shape: rapid.SliceOfN(rapid.Int64(), 0, 4).Draw(t, "shape")}
	}), 0, 3)
	blobs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Blob {
		return Blob{Name: rapid.String().Draw(t, "name"), Size: rapid.Int64().Draw(t, "size")}
	}), 0, 3)
	slices := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Slice {
		return Slice{Node: rapid.SampledFrom(nodes).Draw(t, "node"), Inputs: infos.Draw(t, "inputs"),
			Outputs: infos.Draw(t, "outputs"), Weights: blobs.Draw(t, "weights")}
	}), 0, 3)
	return rapid.Custom(func(t *rapid.T) Model {
		return Model{Release: rapid.String().Draw(t, "release"), Gateway: rapid.SampledFrom(nodes).Draw(t, "gateway"), Slices: slices.Draw(t, "slices"),
			Inputs: infos.Draw(t, "inputs"), Outputs: infos.Draw(t, "outputs"),
			Programs:       rapid.MapOfN(rapid.String(), blobs, 0, 3).Draw(t, "programs"),
			TimeoutSeconds: rapid.Float64Range(0, 1e9).Draw(t, "timeout")}
	})
}

// What is written is what is read: Parse(EncodeState(s)) is s.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := stateGenerator().Draw(t, "state")
		content, err := EncodeState(state)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("state", content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state, got); diff != "" {
			t.Fatalf("read back (-want +got):\n%s", diff)
		}
	})
}

func TestClone(t *testing.T) {
	if Clone(nil) != nil {
		t.Error("the clone of nil is not nil")
	}
	original := sample()
	clone := Clone(original)
	if diff := cmp.Diff(original, clone); diff != "" {
		t.Errorf("the clone differs (-want +got):\n%s", diff)
	}
	noSharing(t, "state", reflect.ValueOf(original), reflect.ValueOf(clone))
}

// noSharing walks both values side by side and fails where they share memory,
// so that a field added to State cannot be forgotten in Clone.
func noSharing(t *testing.T, path string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Pointer:
		noSharing(t, path, a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			noSharing(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Map:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
		for _, key := range a.MapKeys() {
			noSharing(t, path+"["+key.String()+"]", a.MapIndex(key), b.MapIndex(key))
		}
	case reflect.Slice:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
		for i := range a.Len() {
			noSharing(t, path+"[]", a.Index(i), b.Index(i))
		}
	}
}
