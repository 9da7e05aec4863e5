package plan

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
)

// The tests write a pipeline as the nodes of its stages and the segments where
// it is cut: pipeline("abc", 10, 4, 7) runs segments 0-3 on node a, 4-6 on b
// and 7-9 on c. Node a is the gateway.

func pipeline(nodes string, segments int, cuts ...int) statefile.Model {
	m := statefile.Model{
		SourceDigest: "source",
		Optimization: "extended",
		Queue:        DefaultQueue,
		Gateway:      "node.a",
		Inputs:       []tensor.Info{{Name: "x", Type: tensor.Float32, Shape: []int64{1, 4}}},
		Outputs:      []tensor.Info{{Name: "y", Type: tensor.Float32, Shape: []int64{1, 2}}},
		Programs:     map[string][]statefile.Blob{},
	}
	bounds := append(append([]int{0}, cuts...), segments)
	for i, letter := range nodes {
		node := "node." + string(letter)
		m.Slices = append(m.Slices, sliceOf(node, bounds[i], bounds[i+1]-1))
		m.Programs[node] = []statefile.Blob{
			{Name: "edgeplan-worker", Digest: "worker", Size: 1000},
			{Name: "libonnxruntime.so.1", Digest: "engine", Size: 5000},
		}
	}
	if _, ok := m.Programs[m.Gateway]; !ok {
		m.Programs[m.Gateway] = []statefile.Blob{{Name: "edgeplan-worker", Digest: "worker", Size: 1000}}
	}
	return m
}

// sliceOf is segments first..last on a node; segment s has the weight "w<s>" of 100+s bytes.
func sliceOf(node string, first, last int) statefile.Slice {
	slice := statefile.Slice{
		Node: node, FirstSegment: first, LastSegment: last,
		FirstNode: fmt.Sprintf("n%d", first), LastNode: fmt.Sprintf("n%d", last),
		Port:        7433,
		Graph:       statefile.Blob{Name: "slice.onnx", Digest: fmt.Sprintf("g%d-%d", first, last), Size: 10},
		MemoryBytes: 60 << 20,
	}
	for s := first; s <= last; s++ {
		digest := fmt.Sprintf("w%d", s)
		slice.Weights = append(slice.Weights, statefile.Blob{Name: digest, Digest: digest, Size: int64(100 + s)})
	}
	return slice
}

// stateOf is a state in which the given models are deployed, each release named
// by its content.
func stateOf(models map[string]statefile.Model) *statefile.State {
	s := &statefile.State{
		FormatVersion: statefile.FormatVersion,
		Nodes:         map[string]statefile.Node{},
		Models:        map[string]statefile.Model{},
	}
	for _, name := range sortedKeys(models) {
		m := models[name]
		for _, node := range ReleaseNodes(&m) {
			s.Nodes[node] = statefile.Node{PipelineAddress: node[len("node."):] + ".local", Architecture: "linux/arm64"}
		}
		m.Release = ReleaseID(name, &m, s.Nodes)
		s.Models[name] = m
	}
	return s
}
