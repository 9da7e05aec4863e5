package solver

import (
	"container/heap"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// dnnGraph is a graph of msr-fiddle/dnn-partitioning.
type dnnGraph struct {
	MaxSizePerFPGA float64
	MaxFPGAs       int
	Nodes          []struct {
		ID          int
		FPGALatency float64 `json:"fpgaLatency"`
		CPULatency  float64 `json:"cpuLatency"`
		Size        float64
		ColorClass  *int
	}
	Edges []struct {
		SourceID, DestID int
		Size             float64
	}
}

// latest is a heap of node numbers with the largest on top.
type latest struct{ sort.IntSlice }

func (h latest) Less(i, j int) bool { return h.IntSlice[i] > h.IntSlice[j] }
func (h *latest) Push(x any)        { h.IntSlice = append(h.IntSlice, x.(int)) }
func (h *latest) Pop() any {
	last := h.IntSlice[len(h.IntSlice)-1]
	h.IntSlice = h.IntSlice[:len(h.IntSlice)-1]
	return last
}

// order sorts the nodes topologically: those of an earlier part first, and of those
// that are ready in one part the one with the highest number.
func (g *dnnGraph) order(part map[int]int) (order []int, position map[int]int) {
	waits, next := map[int]int{}, map[int][]int{}
	for _, e := range g.Edges {
		waits[e.DestID]++
		next[e.SourceID] = append(next[e.SourceID], e.DestID)
	}
	var ready latest
	rank := func(v int) int { return v - part[v]<<32 }
	index := map[int]int{}
	for k, v := range g.Nodes {
		index[rank(v.ID)] = k
		if waits[v.ID] == 0 {
			heap.Push(&ready, rank(v.ID))
		}
	}
	position = map[int]int{}
	for ready.Len() > 0 {
		k := index[heap.Pop(&ready).(int)]
		v := g.Nodes[k].ID
		position[v] = len(order)
		order = append(order, k)
		for _, w := range next[v] {
			if waits[w]--; waits[w] == 0 {
				heap.Push(&ready, rank(w))
			}
		}
	}
	return order, position
}

// problem is the graph as a chain, in an order that has the best cuts. A crossing tensor of s bytes costs
// s/rate on both of its devices, and on a device that it passes through both ways,
// which the original does not count. Nodes of one colour stay together. A CPU
// moves bytes at no cost to itself, so there the time per byte is one of the node.
func (g *dnnGraph) problem(cpu bool, rate float64) *Problem {
	order, position := g.order(g.parts(rate))
	no := false
	p := &Problem{CutBytes: make([]int64, len(order)+1), Overlap: &no}
	fpga, cpuNode := Node{MemoryBytes: int64(g.MaxSizePerFPGA)}, Node{MemoryBytes: math.MaxInt64 / 4}
	for _, k := range order {
		p.SegmentBytes = append(p.SegmentBytes, int64(g.Nodes[k].Size))
		fpga.SegmentSeconds = append(fpga.SegmentSeconds, g.Nodes[k].FPGALatency)
		cpuNode.SegmentSeconds = append(cpuNode.SegmentSeconds, g.Nodes[k].CPULatency)
	}
	last, size := map[int]int{}, map[int]int64{}
	for _, e := range g.Edges {
		from := position[e.SourceID]
		last[from], size[from] = max(last[from], position[e.DestID]), int64(e.Size)
	}
	for from, to := range last {
		for b := from + 1; b <= to; b++ {
			p.CutBytes[b] += size[from]
		}
	}
	p.AllowedCuts = g.allowed(order)
	bandwidth := rate
	if cpu {
		bandwidth, fpga.CPUSecondsPerByte = 1e30, 1/rate
		p.Nodes = []Node{cpuNode}
	}
	for range g.MaxFPGAs {
		p.Nodes = append(p.Nodes, fpga)
	}
	for range p.Nodes {
		row := make([]float64, len(p.Nodes))
		for v := range row {
			row[v] = bandwidth
		}
		p.Bandwidth = append(p.Bandwidth, row)
	}
	return p
}

// allowed are the cuts with no colour on both sides.
func (g *dnnGraph) allowed(order []int) []int {
	first, last := map[int]int{}, map[int]int{}
	for at, k := range order {
		if c := g.Nodes[k].ColorClass; c != nil {
			if _, seen := first[*c]; !seen {
				first[*c] = at
			}
			last[*c] = at
		}
	}
	split := make([]bool, len(order)+1)
	for c, at := range first {
		for b := at + 1; b <= last[c]; b++ {
			split[b] = true
		}
	}
	out := []int{}
	for b := 1; b < len(order); b++ {
		if !split[b] {
			out = append(out, b)
		}
	}
	return out
}

// The optima that dnn-partitioning prints for its serialized cost, of all orders, by
// any sets of nodes that are closed under predecessors. It has one CPU beside the
// accelerators; only resnet50 gains from it.
func TestDNNPartitioning(t *testing.T) {
	for _, c := range []struct {
		name string
		cpu  bool
		rate float64
		want float64
	}{
		{"bert24", false, 1 << 31, 17.78990625},
		{"resnet50", true, 1 << 31, 33.774666015625},
		{"resnet50", false, 1 << 31, 34.2228515625},
		{"bert_l-3", false, (1 << 31) / 1000.0, 27.9185676799125},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join(sharedFolder(t), "data", "dnn-partitioning", c.name+"_inference.json"))
			if err != nil {
				t.Skipf("no graph: %v", err)
			}
			var g dnnGraph
			if err := json.Unmarshal(src, &g); err != nil {
				t.Fatal(err)
			}
			p := g.problem(c.cpu, c.rate)
			s, err := Solve(t.Context(), p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(p, s); err != nil {
				t.Error(err)
			}
			if s.Status != Optimal || math.Abs(s.Cost.BottleneckSeconds-c.want) > 5e-11 {
				t.Errorf("%s, %.12f s; want optimal, %.12f s", s.Status, s.Cost.BottleneckSeconds, c.want)
			}
		})
	}
}
