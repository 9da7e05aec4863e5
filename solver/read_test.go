package solver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const valid = `{
  "name": "two", "cut_bytes": [1, 2, 3], "segment_bytes": [4, 5], "activation_bytes": [6, 7],
  "in_buffers": 1, "out_buffers": 1, "gateway": null,
  "nodes": [
    {"name": "a", "memory_bytes": 100, "base_bytes": 1, "send_bytes_per_second": 5, "receive_bytes_per_second": 6.5, "range_seconds": [[0, 1, 0.4]], "segment_seconds": [0.5, 1e-3]},
    {"name": "b", "memory_bytes": 100, "segment_seconds": [1, 1], "stage_seconds": 0.25, "cpu_seconds_per_byte": 1e-9}],
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
			{Name: "b", MemoryBytes: 100, SegmentSeconds: []float64{1, 1}, StageSeconds: 0.25, CPUSecondsPerByte: 1e-9},
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
		{"unknown field", `"max_stages": 2`, `"max_stage": 2`, "max_stage: unknown field; did you mean max_stages?"},
		{"unknown and like nothing", `"max_stages": 2`, `"speed": 2`, "speed: unknown field; the fields here are activation_bytes, allowed_cuts,"},
		{"another case", `"max_stages": 2`, `"MaxStages": 2`, "MaxStages: unknown field; did you mean max_stages?"},
		{"unknown in a node", `"base_bytes": 1`, `"base": 1`, "nodes[0].base: unknown field"},
		{"given twice", `"in_buffers": 1`, `"name": "x"`, "name: is given twice"},
		{"missing", `"allowed_cuts": [1]`, `"shared": [{}]`, "shared: is given twice"},
		{"missing in a pin", `{"segment": 0, "node": 1}`, `{"segment": 0}`, "pinned[0].node: is missing"},
		{"string for number", `[0.5, 1e-3]`, `[0.5, "x"]`, "nodes[0].segment_seconds[1]: is string; a number is expected"},
		{"fraction of a byte", `[4, 5]`, `[4, 5.5]`, "segment_bytes[1]: is number 5.5; a whole number of at most 63 bits is expected"},
		{"beyond 63 bits", `[4, 5]`, `[4, 9223372036854775808]`, "segment_bytes[1]: is number 9223372036854775808"},
		{"beyond a float", `1e-9`, `1e999`, "nodes[1].cpu_seconds_per_byte: is number 1e999, which is beyond what a 64-bit float holds"},
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
		{"steers the terminal", `"name": "wifi"`, `"name": "\u001b[2Jwifi"`, `shared[0].name: is "\x1b[2Jwifi"; a name without control characters is expected`},
		{"no JSON", `"name": "two",`, `name`, "problem file: no valid JSON: invalid character"},
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

// All faults come at once, each with its place: values that cannot be read along
// with those that make no sense. What is unknown or given twice stands at its key,
// what is missing where its object begins.
func TestReadProblemPlaces(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"values", `{
  "cut_bytes": [0, 1, 0],
  "segment_bytes": [-4, "x"],
  "nodes": [
    {"memory_bytes": 1.5, "segment_seconds": [1]}],
  "bandwidth_bytes_per_second": [[0]], "gateway": 3
}`, `3:25: segment_bytes[1]: is string; a whole number of at most 63 bits is expected
5:22: nodes[0].memory_bytes: is number 1.5; a whole number of at most 63 bits is expected
3:21: segment_bytes[0]: is negative: -4
5:46: nodes[0].segment_seconds: has 1 entries; 2 are needed, one for each segment
6:51: gateway: node 3 does not exist; the numbers are 0 to 0`},
		{"keys", `{
  "segment_byte": [1],
  "cut_bytes": [0, 0], "cut_bytes": [0, 0],
  "nodes": [{"name": "a",
      "segment_seconds": [1], "nam\u0065": "b"}],
  "bandwidth_bytes_per_second": [[0]]
}`, `2:3: segment_byte: unknown field; did you mean segment_bytes?
3:24: cut_bytes: is given twice
5:31: nodes[0].name: is given twice
4:13: nodes[0].memory_bytes: is missing
1:1: segment_bytes: is missing`},
		{"not a number", "{\"nodes\": [{\n  \"segment_seconds\": [1, NaN]}]}", "2:26: nodes[0].segment_seconds[1]: no valid JSON: NaN is no number here; a finite one is expected"},
		{"infinity", `{"bandwidth_bytes_per_second": [[0, -Infinity]]}`, "1:38: bandwidth_bytes_per_second[0][1]: no valid JSON: -Infinity is no number here; a finite one is expected"},
		{"cut off", "{\"cut_bytes\": [1,\n 2", "2:3: problem file: no valid JSON: it ends in the middle"},
		{"trailing comma", "{\n\"cut_bytes\": [1,]}", "2:17: problem file: no valid JSON: invalid character ']' looking for beginning of value"},
		{"two problems", "{}\n\n {}", "3:2: problem file: there is more after the problem; one object is expected"},
		{"empty", "", "0:0: problem file: is empty; a JSON object is expected"},
		{"blank", " \n\t", "0:0: problem file: is empty; a JSON object is expected"},
		{"null", "null", "1:1: problem file: must be an object, but is null"},
		{"a list", "[1]", "1:1: problem file: must be an object, but is a list"},
		{"deep", `{"nodes": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", "1:10010: problem file: no valid JSON: invalid character '[' exceeded max depth"},
		{"deep within the limit", `{"nodes": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
			"1:1: cut_bytes: is missing\n1:1: segment_bytes: is missing\n1:1: bandwidth_bytes_per_second: is missing\n1:12: nodes[0]: must be an object, but is a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadProblem(strings.NewReader(c.text))
			got := placedFaults(err)
			slices.Sort(got)
			want := strings.Split(c.want, "\n")
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// placedFaults writes the faults of an error as line, column, path and problem.
func placedFaults(err error) []string {
	var out []string
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		var fault *FieldError
		if errors.As(err, &fault) {
			out = append(out, fmt.Sprintf("%d:%d: %v", fault.Line, fault.Column, fault))
		}
	}
	return out
}

// A byte order mark before the problem, as some editors leave it, is no fault.
func TestReadProblemByteOrderMark(t *testing.T) {
	if _, err := ReadProblem(strings.NewReader("\xef\xbb\xbf" + valid)); err != nil {
		t.Error(err)
	}
}

// An endless file is refused before it fills the memory.
func TestReadProblemTooLarge(t *testing.T) {
	_, err := ReadProblem(io.MultiReader(strings.NewReader(valid), blanks{}))
	if err == nil || err.Error() != "problem file: is larger than 256.0 MiB, the most that is read" {
		t.Error(err)
	}
}

type blanks struct{}

var blank = bytes.Repeat([]byte(" "), 1<<20)

func (blanks) Read(p []byte) (int, error) {
	return copy(p, blank), nil
}

// Whatever is read, the solver answers it, and its answer verifies; whatever is
// refused has a path and a place within the file.
func FuzzReadProblem(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(validModels))
	f.Add([]byte(strings.Replace(valid, "[4, 5]", "[4, NaN]", 1)))
	f.Add([]byte(strings.NewReplacer(`"base_bytes": 1`, `"base": 1`, "[4, 5]", `[-4, "x"]`).Replace(valid)))
	for _, name := range []string{"paper.json", "gateway.json"} {
		src, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := ReadProblem(bytes.NewReader(src))
		if err != nil {
			if len(placedFaults(err)) == 0 {
				t.Fatalf("a fault without a path: %v", err)
			}
			for _, fault := range placedFaults(err) {
				var line, column int
				fmt.Sscanf(fault, "%d:%d:", &line, &column)
				if line > 1+bytes.Count(src, []byte("\n")) || column > len(src)+1 || line == 0 && len(bytes.TrimSpace(src)) > 3 {
					t.Fatalf("%q is not in the file", fault)
				}
			}
			return
		}
		if len(p.Nodes) > 6 || p.Segments() > 20 || len(p.Models) > 3 {
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
