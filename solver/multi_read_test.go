package solver

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const validModels = `{
  "name": "pair",
  "models": [
    {"name": "m", "required_throughput": 2.5, "cut_bytes": [1, 2, 3], "segment_bytes": [4, 5], "activation_bytes": [6, 7],
     "in_buffers": 1, "out_buffers": 2, "gateway": 1, "allowed_cuts": [1], "max_stages": 2, "pinned": [{"segment": 0, "node": 1}],
     "excluded_nodes": [0], "start": [{"node": 1, "first_segment": 0, "last_segment": 1}]},
    {"name": "n", "segment_names": ["s"], "cut_bytes": [1, 2], "segment_bytes": [9], "gateway": null}],
  "nodes": [
    {"name": "a", "memory_bytes": 100, "base_bytes": 1, "segment_seconds": [[0.5, 1e-3], [2]], "range_seconds": [[[0, 1, 0.4]], []], "stage_seconds": [0.1, 0]},
    {"name": "b", "memory_bytes": 100, "segment_seconds": [[1, 1], [3]]}],
  "bandwidth_bytes_per_second": [[0, 10], [20, 0]], "shared": [{"name": "wifi", "pairs": [[0, 1]]}], "overlap": false
}`

func TestReadModels(t *testing.T) {
	got, err := ReadProblem(strings.NewReader(validModels))
	if err != nil {
		t.Fatal(err)
	}
	gateway := 1
	want := &Problem{
		Name: "pair",
		Models: []Model{
			{
				Name: "m", RequiredThroughput: 2.5, CutBytes: []int64{1, 2, 3}, SegmentBytes: []int64{4, 5}, ActivationBytes: []int64{6, 7},
				InBuffers: 1, OutBuffers: 2, Gateway: &gateway, AllowedCuts: []int{1}, MaxStages: 2, Pinned: []Pin{{0, 1}},
				ExcludedNodes: []int{0}, Start: []Placed{{1, 0, 1}},
			},
			{Name: "n", SegmentNames: []string{"s"}, CutBytes: []int64{1, 2}, SegmentBytes: []int64{9}},
		},
		Nodes: []Node{
			{Name: "a", MemoryBytes: 100, BaseBytes: 1, ModelSeconds: [][]float64{{0.5, 1e-3}, {2}}, ModelRanges: [][]Range{{{0, 1, 0.4}}, {}}, ModelStageSeconds: []float64{0.1, 0}},
			{Name: "b", MemoryBytes: 100, ModelSeconds: [][]float64{{1, 1}, {3}}},
		},
		Bandwidth: [][]float64{{0, 10}, {20, 0}}, Shared: []Shared{{Name: "wifi", Pairs: [][2]int{{0, 1}}}}, Overlap: new(bool),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadProblem(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Error(diff)
	}
}

// Every fault is at the path of the value in the file, and told once.
func TestReadModelsFaults(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"chain beside models", `"overlap": false`, `"segment_bytes": [1]`, "segment_bytes: stands in each of the models when there are models"},
		{"gateway beside models", `"overlap": false`, `"gateway": 0`, "gateway: stands in each of the models"},
		{"no models", validModels[strings.Index(validModels, `"models"`):strings.Index(validModels, `"nodes"`)], `"models": [],`, "models: is empty; at least one model is needed"},
		{"models of no kind", `"models": [`, `"models": 7, "x": [`, "models: must be a list, but is a number"},
		{"unknown field", `"max_stages": 2`, `"max_stage": 2`, "models[0].max_stage: unknown field; did you mean max_stages?"},
		{"ragged", `"cut_bytes": [1, 2, 3]`, `"cut_bytes": [1, 2]`, "models[0].cut_bytes: has 2 entries; 3 are needed"},
		{"times of one chain", `"segment_seconds": [[1, 1], [3]]`, `"segment_seconds": [1, 1]`, "nodes[1].segment_seconds[0]: must be a list, but is a number"},
		{"times of too few models", `"segment_seconds": [[1, 1], [3]]`, `"segment_seconds": [[1, 1]]`, "nodes[1].segment_seconds: has 1 entries; 2 are needed, one for each model"},
		{"times of too few segments", `"segment_seconds": [[1, 1], [3]]`, `"segment_seconds": [[1], [3]]`, "nodes[1].segment_seconds[0]: has 1 entries; 2 are needed, one for each segment"},
		{"negative time", `[[1, 1], [3]]`, `[[1, 1], [-3]]`, "nodes[1].segment_seconds[1][0]: is negative: -3"},
		{"ranges of too few models", `[[[0, 1, 0.4]], []]`, `[[[0, 1, 0.4]]]`, "nodes[0].range_seconds: has 1 entries; 2 are needed, one for each model"},
		{"unknown segment of a range", `[[[0, 1, 0.4]], []]`, `[[], [[0, 1, 0.4]]]`, "nodes[0].range_seconds[1][0][1]: segment 1 does not exist"},
		{"negative memory", `"name": "b", "memory_bytes": 100`, `"name": "b", "memory_bytes": -100`, "nodes[1].memory_bytes: is negative: -100"},
		{"unknown gateway", `"gateway": 1`, `"gateway": 2`, "models[0].gateway: node 2 does not exist"},
		{"unknown pin", `"segment": 0, "node": 1`, `"segment": 7, "node": 1`, "models[0].pinned[0].segment: segment 7 does not exist"},
		{"nothing required", `2.5`, `0`, "models[0].required_throughput: is 0; it must be above 0"},
		{"less than nothing required", `2.5`, `-1`, "models[0].required_throughput: -1 is not between 1e-06 and 1e+09 inferences per second"},
		{"no number required", `2.5`, `"x"`, "models[0].required_throughput: is string; a number is expected"},
		{"one name for two", `"name": "n"`, `"name": "m"`, `models[1].name: "m" is the name of models[0] too`},
		{"unknown node in a network", `[[0, 1]]}`, `[[0, 2]]}`, "shared[0].pairs[0][1]: node 2 does not exist"},
		{"ragged links", `[20, 0]]`, `[20]]`, "bandwidth_bytes_per_second[1]: has 1 entries; 2 are needed"},
		{"sum of times", `[[1, 1], [3]]`, `[[1e5, 1e5], [3]]`, "nodes[1].segment_seconds[0]: the times overflow"},
		{"sum of bytes", `"segment_bytes": [4, 5]`, `"segment_bytes": [4611686018427387904, 5]`, "models[0].segment_bytes: their sum overflows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(validModels, c.from, c.to, 1)
			if text == validModels {
				t.Fatalf("%q is not in the file", c.from)
			}
			_, err := ReadProblem(strings.NewReader(text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
			lines := strings.Split(err.Error(), "\n")
			for i, line := range lines {
				for _, other := range lines[:i] {
					if line == other {
						t.Errorf("told twice: %s", line)
					}
				}
			}
		})
	}
}

// What a file cannot say a program can.
func TestValidateModels(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Problem)
		want   string
	}{
		{"not a number", func(p *Problem) { p.Models[0].RequiredThroughput = math.NaN() }, "models[0].required_throughput: NaN is not between"},
		{"infinite", func(p *Problem) { p.Nodes[0].ModelSeconds[1][0] = math.Inf(1) }, "nodes[0].segment_seconds[1][0]: is infinite"},
		{"one list of times", func(p *Problem) { p.Nodes[0].SegmentSeconds = []float64{1} }, "nodes[0].segment_seconds: must be a list of lists, one for each model"},
		{"bases of too few nodes", func(p *Problem) { p.Models[1].NodeBaseBytes = []int64{1} }, "models[1].node_base_bytes: has 1 entries"},
		{"held by too few nodes", func(p *Problem) { p.Models[1].HeldBytes = [][]int64{{1}} }, "models[1].held_bytes: has 1 entries"},
		{"memory of all", func(p *Problem) {
			p.Models[0].SegmentBytes, p.Models[1].SegmentBytes = []int64{1 << 60, 1 << 60}, []int64{1 << 61}
			p.Nodes[0].BaseBytes = 1 << 61
		}, "models[1].segment_bytes: the memory of the models together overflows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ReadProblem(strings.NewReader(validModels))
			if err != nil {
				t.Fatal(err)
			}
			c.change(p)
			if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}
