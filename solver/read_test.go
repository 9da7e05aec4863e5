package solver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const valid = `{
  "name": "two", "cut_bytes": [1, 2, 3], "segment_bytes": [4, 5], "activation_bytes": [6, 7],
  "in_buffers": 1, "out_buffers": 1, "gateway": null,
  "nodes": [
    {"name": "a", "memory_bytes": 100, "base_bytes": 1, "send_bytes_per_second": 5, "receive_bytes_per_second": 6.5, "range_seconds": [[0, 1, 0.4]], "segment_seconds": [0.5, 1e-3]},
    {"name": "b", "memory_bytes": 100, "segment_seconds": [1, 1], "cpu_seconds_per_byte": 1e-9}],
  "bandwidth_bytes_per_second": [[0, 10], [20, 0]], "latency_seconds": [[0, 0.1], [0.1, 0]],
  "shared": [{"name": "wifi", "pairs": [[0, 1], [1, 0]]}],
  "allowed_cuts": [1], "max_stages": 2, "pinned": [{"segment": 0, "node": 1}], "excluded_nodes": [], "overlap": false,
  "start": [{"node": 1, "first_segment": 0, "last_segment": 1}]
}`

func TestReadProblem(t *testing.T) {
	got, err := ReadProblem(strings.NewReader(valid))
	if err != nil {
		t.Fatal(err)
	}
	want := &Problem{
		Name: "two", CutBytes: []int64{1, 2, 3}, SegmentBytes: []int64{4, 5}, ActivationBytes: []int64{6, 7},
		InBuffers: 1, OutBuffers: 1,
		Nodes: []Node{
			{Name: "a", MemoryBytes: 100, BaseBytes: 1, SegmentSeconds: []float64{0.5, 1e-3},
				SendBytesPerSecond: 5, ReceiveBytesPerSecond: 6.5, RangeSeconds: []Range{{0, 1, 0.4}}},
			{Name: "b", MemoryBytes: 100, SegmentSeconds: []float64{1, 1}, CPUSecondsPerByte: 1e-9},
		},
		Bandwidth: [][]float64{{0, 10}, {20, 0}}, Latency: [][]float64{{0, 0.1}, {0.1, 0}},
		Shared:      []Shared{{Name: "wifi", Pairs: [][2]int{{0, 1}, {1, 0}}}},
		AllowedCuts: []int{1}, MaxStages: 2, Pinned: []Pin{{0, 1}}, ExcludedNodes: []int{},
		Overlap: new(bool), Start: []Placed{{1, 0, 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every fault is one sentence that begins with the path of the value.
func TestReadProblemFaults(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"unknown field", `"max_stages": 2`, `"max_stage": 2`, "max_stage: unknown field; the fields here are activation_bytes, allowed_cuts,"},
		{"unknown in a node", `"base_bytes": 1`, `"base": 1`, "nodes[0].base: unknown field"},
		{"given twice", `"in_buffers": 1`, `"name": "x"`, "name: is given twice"},
		{"missing", `"allowed_cuts": [1]`, `"shared": [{}]`, "shared: is given twice"},
		{"missing in a pin", `{"segment": 0, "node": 1}`, `{"segment": 0}`, "pinned[0].node: is missing"},
		{"string for number", `[0.5, 1e-3]`, `[0.5, "x"]`, "nodes[0].segment_seconds[1]: is string; a number is expected"},
		{"fraction of a byte", `[4, 5]`, `[4, 5.5]`, "segment_bytes[1]: is number 5.5; a whole number of at most 63 bits is expected"},
		{"beyond 63 bits", `[4, 5]`, `[4, 9223372036854775808]`, "segment_bytes[1]: is number 9223372036854775808"},
		{"beyond a float", `1e-9`, `1e999`, "nodes[1].cpu_seconds_per_byte: is number 1e999; a number is expected"},
		{"null in a list", `[4, 5]`, `[4, null]`, "segment_bytes[1]: is null"},
		{"no list", `[[0, 10], [20, 0]]`, `7`, "bandwidth_bytes_per_second: must be a list, but is a number"},
		{"no pair", `[1, 0]]`, `[1]]`, "shared[0].pairs[1]: must be a pair of nodes"},
		{"negative", `"segment_seconds": [1, 1]`, `"segment_seconds": [1, -1]`, "nodes[1].segment_seconds[1]: is negative: -1"},
		{"ragged", `[20, 0]]`, `[20]]`, "bandwidth_bytes_per_second[1]: has 1 entries; 2 are needed, one for each node"},
		{"short", `"cut_bytes": [1, 2, 3]`, `"cut_bytes": [1, 2]`, "cut_bytes: has 2 entries; 3 are needed"},
		{"unknown node", `"gateway": null`, `"gateway": 2`, "gateway: node 2 does not exist; the numbers are 0 to 1"},
		{"end as a cut", `"allowed_cuts": [1]`, `"allowed_cuts": [2]`, "allowed_cuts[0]: 2 is no inner position"},
		{"pair of one", `[1, 0]]`, `[1, 1]]`, "shared[0].pairs[1]: goes from node 1 to itself"},
		{"pin", `"segment": 0`, `"segment": 2`, "pinned[0].segment: segment 2 does not exist"},
		{"start backwards", `"first_segment": 0, "last_segment": 1`, `"first_segment": 1, "last_segment": 0`, "start[0].last_segment: 0 lies before"},
		{"sum of bytes", `[4, 5]`, `[4611686018427387904, 4611686018427387904]`, "segment_bytes: their sum overflows"},
		{"sum of times", `[0.5, 1e-3]`, `[1e6, 1e3]`, "nodes[0].segment_seconds: the times overflow"},
		{"endless transfer", `[[0, 10]`, `[[0, 1e-300]`, "bandwidth_bytes_per_second[0][1]: the times overflow"},
		{"no truth", `"overlap": false`, `"overlap": 0`, "overlap: is number; true or false is expected"},
		{"negative interface", `"send_bytes_per_second": 5`, `"send_bytes_per_second": -5`, "nodes[0].send_bytes_per_second: is negative: -5"},
		{"slow interface", `"receive_bytes_per_second": 6.5`, `"receive_bytes_per_second": 1e-300`, "nodes[0].receive_bytes_per_second: the times overflow"},
		{"no range", `[[0, 1, 0.4]]`, `[[0, 1]]`, "nodes[0].range_seconds[0]: must be [first segment, last segment, seconds]"},
		{"range of nothing", `[[0, 1, 0.4]]`, `[[0, 2, 0.4]]`, "nodes[0].range_seconds[0][1]: segment 2 does not exist"},
		{"range backwards", `[[0, 1, 0.4]]`, `[[1, 0, 0.4]]`, "nodes[0].range_seconds[0][1]: 0 lies before"},
		{"range twice", `[[0, 1, 0.4]]`, `[[0, 1, 0.4], [0, 1, 0.5]]`, "nodes[0].range_seconds[1]: is listed twice: 0 to 1"},
		{"negative range", `[[0, 1, 0.4]]`, `[[0, 1, -4]]`, "nodes[0].range_seconds[0][2]: is negative: -4"},
		{"more behind it", "]\n}", "]\n} {}", "problem file: there is more after the problem"},
		{"no JSON", `"name": "two",`, `name`, "problem file: no valid JSON at byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(valid, c.from, c.to, 1)
			if text == valid {
				t.Fatalf("%q is not in the file", c.from)
			}
			_, err := ReadProblem(strings.NewReader(text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReadProblemAllFaults(t *testing.T) {
	text := strings.NewReplacer(`[4, 5]`, `[-4, 5]`, `[6, 7]`, `[6]`).Replace(valid)
	_, err := ReadProblem(strings.NewReader(text))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v; want two lines", err)
	}
}

// Whatever is read, the solver answers it, and its answer verifies.
func FuzzReadProblem(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(validModels))
	for _, name := range []string{"paper.json", "gateway.json"} {
		src, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := ReadProblem(bytes.NewReader(src))
		if err != nil || len(p.Nodes) > 6 || p.Segments() > 20 || len(p.Models) > 3 {
			return
		}
		for _, m := range p.Models {
			if len(m.SegmentBytes) > 8 {
				return
			}
		}
		s, err := Solve(t.Context(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(p, s); err != nil {
			t.Fatal(err)
		}
	})
}
