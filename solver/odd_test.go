package solver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// odd problems, as a stranger writes them to see what gives. Each is answered by
// every algorithm, and each answer verifies; the exact one is that of brute force.
var odd = []struct {
	name, text string
	want       string // status and bottleneck of the exact search; "" is only checked against brute force
}{
	{"one of each", `{"cut_bytes": [5, 5], "segment_bytes": [1], "nodes": [{"memory_bytes": 1, "segment_seconds": [2]}], "bandwidth_bytes_per_second": [[0]]}`, "optimal 2"},
	{"one node, three segments", `{"cut_bytes": [5, 5, 5, 5], "segment_bytes": [1, 1, 1], "nodes": [{"memory_bytes": 3, "segment_seconds": [2, 0, 1]}], "bandwidth_bytes_per_second": [[7]]}`, "optimal 3"},
	{"one segment, three nodes", `{"cut_bytes": [5, 5], "segment_bytes": [1], "nodes": [N4, N2, N3], "bandwidth_bytes_per_second": [[0, 0, 0], [0, 0, 0], [0, 0, 0]]}`, "optimal 2"},
	{"nothing weighs anything", `{"cut_bytes": [0, 0, 0], "segment_bytes": [0, 0], "nodes": [{"memory_bytes": 0, "segment_seconds": [0, 0]}, {"memory_bytes": 0, "segment_seconds": [0, 0]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 0"},
	{"no bytes to move over hardly any link", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 2]}, {"memory_bytes": 1, "segment_seconds": [3, 1]}], "bandwidth_bytes_per_second": [[0, 5e-324], [1e-320, 0]]}`, "optimal 1"},
	{"no bytes through hardly any interface", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 2], "send_bytes_per_second": 5e-324}, {"memory_bytes": 1, "segment_seconds": [3, 1], "receive_bytes_per_second": 5e-324}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 1"},
	{"bandwidth 1e300", `{"cut_bytes": [0, 1000000000, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 2]}, {"memory_bytes": 1, "segment_seconds": [3, 1]}], "bandwidth_bytes_per_second": [[0, 1e300], [1e300, 0]]}`, "optimal 1"},
	{"a byte takes six hours", `{"cut_bytes": [0, 1, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 2]}, {"memory_bytes": 1, "segment_seconds": [3, 1]}], "bandwidth_bytes_per_second": [[0, 5e-5], [5e-5, 0]]}`, "optimal 20000"},
	{"memory exactly enough", `{"cut_bytes": [3, 4, 5], "in_buffers": 2, "out_buffers": 3, "activation_bytes": [7, 9], "segment_bytes": [10, 20], "nodes": [{"memory_bytes": 61, "base_bytes": 1, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0]]}`, "optimal 2"},
	{"memory one byte short", `{"cut_bytes": [3, 4, 5], "in_buffers": 2, "out_buffers": 3, "activation_bytes": [7, 9], "segment_bytes": [10, 20], "nodes": [{"memory_bytes": 60, "base_bytes": 1, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0]]}`, "infeasible"},
	{"base above the memory", `{"cut_bytes": [0, 0], "segment_bytes": [0], "nodes": [{"memory_bytes": 5, "base_bytes": 6, "segment_seconds": [1]}], "bandwidth_bytes_per_second": [[0]]}`, "infeasible"},
	{"one-way ring", `{"cut_bytes": [0, 1, 1, 0], "segment_bytes": [1, 1, 1], "nodes": [M1, M1, M1], "bandwidth_bytes_per_second": [[0, 1, 0], [0, 0, 1], [1, 0, 0]], "pinned": [{"segment": 0, "node": 1}]}`, "optimal 1"},
	{"one-way against the pins", `{"cut_bytes": [0, 1, 1, 0], "segment_bytes": [1, 1, 1], "nodes": [M1, M1, M1], "bandwidth_bytes_per_second": [[0, 1, 0], [0, 0, 1], [0, 0, 0]], "pinned": [{"segment": 0, "node": 2}]}`, "infeasible"},
	{"all excluded", `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [N2, N3], "bandwidth_bytes_per_second": [[0, 1], [1, 0]], "excluded_nodes": [0, 1, 1, 0]}`, "infeasible"},
	{"gateway excluded", `{"cut_bytes": [4, 4], "segment_bytes": [1], "gateway": 0, "nodes": [N2, N3], "bandwidth_bytes_per_second": [[0, 1], [2, 0]], "excluded_nodes": [0]}`, "optimal 4"},
	{"gateway excluded and cut off", `{"cut_bytes": [4, 4], "segment_bytes": [1], "gateway": 0, "nodes": [N2, N3], "bandwidth_bytes_per_second": [[0, 1], [0, 0]], "excluded_nodes": [0]}`, "infeasible"},
	{"gateway cut off, but it can do all", `{"cut_bytes": [4, 4], "segment_bytes": [1], "gateway": 0, "nodes": [N4, N2], "bandwidth_bytes_per_second": [[0, 0], [0, 0]]}`, "optimal 4"},
	{"one stage at most", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "max_stages": 1, "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 2"},
	{"more stages than nodes", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "max_stages": 99, "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 1"},
	{"no cut allowed", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "allowed_cuts": [], "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 2"},
	{"cuts twice and out of order", `{"cut_bytes": [0, 0, 0, 0], "segment_bytes": [1, 1, 1], "allowed_cuts": [2, 1, 2], "nodes": [M1, M1, M1], "bandwidth_bytes_per_second": [[0, 1, 1], [1, 0, 1], [1, 1, 0]]}`, "optimal 1"},
	{"latency alone", `{"cut_bytes": [0, 0, 0, 0], "segment_bytes": [1, 1, 1], "nodes": [Z, Z, Z], "bandwidth_bytes_per_second": [[0, 1, 1], [1, 0, 1], [1, 1, 0]], "latency_seconds": [[0, 9, 1], [9, 0, 2], [1, 2, 0]]}`, "optimal 0"},
	{"the same pin twice", `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [N2, N3], "bandwidth_bytes_per_second": [[0, 1], [1, 0]], "pinned": [{"segment": 0, "node": 1}, {"segment": 0, "node": 1}]}`, "optimal 3"},
	{"a start that does not fit", `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [N2, N3], "bandwidth_bytes_per_second": [[0, 1], [1, 0]], "excluded_nodes": [1], "start": [{"node": 1, "first_segment": 0, "last_segment": 0}]}`, "optimal 2"},
	{"a start on a node twice", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]], "start": [{"node": 1, "first_segment": 0, "last_segment": 0}, {"node": 1, "first_segment": 1, "last_segment": 1}]}`, "optimal 1"},
	{"a pair in two networks", `{"cut_bytes": [0, 6, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 1]}, {"memory_bytes": 1, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 2], [3, 0]], "shared": [{"name": "a", "pairs": [[0, 1], [1, 0]]}, {"name": "b", "pairs": [[1, 0]]}, {"name": "c", "pairs": []}]}`, "optimal 2"},
	{"one at a time", `{"cut_bytes": [2, 6, 2], "segment_bytes": [1, 1], "gateway": 0, "overlap": false, "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [0.5, 0.5]}], "bandwidth_bytes_per_second": [[0, 2], [2, 0]]}`, "optimal 2"},
	{"a gateway that only sends", `{"cut_bytes": [4, 6, 0], "segment_bytes": [1, 1], "gateway": 2, "overlap": false, "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 1]}, {"memory_bytes": 1, "segment_seconds": [1, 1]}, {"memory_bytes": 0, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 2, 1], [2, 0, 1], [1, 2, 0]]}`, ""},
	{"a measured range that is faster", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 2, "segment_seconds": [5, 5], "range_seconds": [[0, 1, 0.25]]}, {"memory_bytes": 2, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 0.25"},
	{"a measured range of no time", `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [{"memory_bytes": 2, "segment_seconds": [5], "range_seconds": [[0, 0, 0]]}], "bandwidth_bytes_per_second": [[0]]}`, "optimal 0"},
	{"less than a picosecond", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1e-13, 1e-13]}, {"memory_bytes": 1, "segment_seconds": [4e-13, 6e-13]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, ""},
	{"time for every stage", `{"cut_bytes": [0, 0, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 2, "segment_seconds": [1, 1], "stage_seconds": 2}, {"memory_bytes": 2, "segment_seconds": [1, 1], "stage_seconds": 2}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 3"},
	{"all CPU time", `{"cut_bytes": [3, 5, 7], "segment_bytes": [1, 1], "gateway": 0, "nodes": [{"memory_bytes": 2, "segment_seconds": [0, 0], "cpu_seconds_per_byte": 1}, {"memory_bytes": 2, "segment_seconds": [0, 0], "cpu_seconds_per_byte": 0.001}], "bandwidth_bytes_per_second": [[0, 1e9], [1e9, 0]]}`, "optimal 0"},
	{"buffers by the quadrillion", `{"cut_bytes": [0, 1000, 0], "in_buffers": 1000000000000000, "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 9223372036854775807, "segment_seconds": [1, 1]}, {"memory_bytes": 9223372036854775807, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[0, 1e9], [1e9, 0]]}`, ""},
	{"no memory but for the gateway", `{"cut_bytes": [9, 9, 9], "segment_bytes": [1, 1], "gateway": 1, "nodes": [{"memory_bytes": 0, "segment_seconds": [1, 1]}, {"memory_bytes": 2, "segment_seconds": [4, 4]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]]}`, "optimal 8"},
	{"nonsense on the diagonal", `{"cut_bytes": [0, 4, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 1]}, {"memory_bytes": 1, "segment_seconds": [1, 1]}], "bandwidth_bytes_per_second": [[-7, 2], [2, 1e300]]}`, "optimal 2"},
}

func oddProblem(t *testing.T, text string) *Problem {
	t.Helper()
	text = strings.NewReplacer(
		"N2", `{"memory_bytes": 1, "segment_seconds": [2]}`, "N3", `{"memory_bytes": 1, "segment_seconds": [3]}`,
		"N4", `{"memory_bytes": 1, "segment_seconds": [4]}`, "M1", `{"memory_bytes": 1, "segment_seconds": [1, 1, 1]}`,
		"Z", `{"memory_bytes": 1, "segment_seconds": [0, 0, 0]}`).Replace(text)
	p, err := ReadProblem(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOddProblems(t *testing.T) {
	for _, c := range odd {
		t.Run(c.name, func(t *testing.T) {
			p := oddProblem(t, c.text)
			exact := solve(t, p, Options{Algorithm: Exact})
			got := string(exact.Status)
			if exact.Cost != nil {
				got += fmt.Sprintf(" %g", exact.Cost.BottleneckSeconds)
			}
			if c.want != "" && got != c.want {
				t.Errorf("%s %v, want %s", got, exact.Stages, c.want)
			}
			best := bruteForce(t, p)
			if best == nil && exact.Status != Infeasible || best != nil && !slices.Equal(best.stages, exact.Stages) && !slices.Equal(p.Start, exact.Stages) {
				t.Errorf("%s %v, brute force %+v", got, exact.Stages, best)
			}
			for _, a := range Algorithms() {
				s := solve(t, p, Options{Algorithm: a})
				if (s.Status == Infeasible) != (exact.Status == Infeasible) && s.Status != Unknown {
					t.Errorf("%s: %s, exact: %s", a, s.Status, exact.Status)
				}
				if s.Cost != nil && (s.Cost.BottleneckSeconds < exact.LowerBoundSeconds || s.LowerBoundSeconds > exact.Cost.BottleneckSeconds) {
					t.Errorf("%s: %g s, bound %g s; exact: %g s", a, s.Cost.BottleneckSeconds, s.LowerBoundSeconds, exact.Cost.BottleneckSeconds)
				}
			}
			if exact.Cost != nil {
				explain(t, p, exact)
			}
		})
	}
}

// Long chains on few nodes, many nodes for few segments.
func TestOddSizes(t *testing.T) {
	for _, size := range [][2]int{{3, largest(1000, 200)}, {1, largest(2000, 400)}, {300, 2}, {2, 2}} {
		p := cluster(5, size[0], size[1], 2, false, false)
		begin := time.Now()
		for _, a := range []Algorithm{Auto, Greedy} {
			s := solve(t, p, Options{Algorithm: a, WorkLimit: 1 << 25})
			if s.Cost == nil {
				t.Errorf("%d nodes, %d segments: %s: %s", size[0], size[1], s.Status, s.Reason)
			}
		}
		t.Log(size, time.Since(begin))
	}
}

// What is refused is refused for a reason that is a fault of the file, never by a
// panic.
func TestOddFaults(t *testing.T) {
	for name, text := range map[string]string{
		"a bandwidth of 1e-9":  `{"cut_bytes": [0, 100, 0], "segment_bytes": [1, 1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1, 2]}, {"memory_bytes": 1, "segment_seconds": [3, 1]}], "bandwidth_bytes_per_second": [[0, 1e-9], [1, 0]]}`,
		"a second for ever":    `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1e300]}], "bandwidth_bytes_per_second": [[0]]}`,
		"a latency for ever":   `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1]}, {"memory_bytes": 1, "segment_seconds": [1]}], "bandwidth_bytes_per_second": [[0, 1], [1, 0]], "latency_seconds": [[0, 1e9], [1, 0]]}`,
		"buffers that overrun": `{"cut_bytes": [9223372036854775807, 0], "in_buffers": 9223372036854775807, "segment_bytes": [1], "nodes": [{"memory_bytes": 1, "segment_seconds": [1]}], "bandwidth_bytes_per_second": [[0]]}`,
		"a base that overruns": `{"cut_bytes": [0, 0], "segment_bytes": [2305843009213693952], "nodes": [{"memory_bytes": 1, "base_bytes": 9223372036854775807, "segment_seconds": [1]}], "bandwidth_bytes_per_second": [[0]]}`,
		"no segments":          `{"cut_bytes": [0], "segment_bytes": [], "nodes": [{"memory_bytes": 1, "segment_seconds": []}], "bandwidth_bytes_per_second": [[0]]}`,
		"no nodes":             `{"cut_bytes": [0, 0], "segment_bytes": [1], "nodes": [], "bandwidth_bytes_per_second": []}`,
	} {
		_, err := ReadProblem(strings.NewReader(text))
		var fault *FieldError
		if !errors.As(err, &fault) || fault.Line == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
