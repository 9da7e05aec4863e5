package onnx

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// A chain, a branch around one node, and a join: only where all paths meet is there
// a candidate.
func TestCandidatePoints(t *testing.T) {
	b := modelbuilder.New("join", 1)
	x := b.Input("x", tensor.Float32, 4)
	first := b.Node("Relu", []string{x})                                 // 1: all of it passes
	left := b.Node("Tanh", []string{first})                              // 2: on one level with the other branch
	right := b.Node("Sigmoid", []string{first})                          // 3
	longer := b.Node("Tanh", []string{right})                            // 4: alone on its level, and left passes it
	joined := b.Node("Add", []string{left, longer})                      // 5
	b.Output(b.Node("Relu", []string{b.Node("Tanh", []string{joined})})) // 6, 7
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddValueInfo(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 5, 6, 7}, mustLoad(t, write(t, m), Options{}).CandidatePoints()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The paper's notebooks count 41 candidates in the layers of ResNet50: 7 up to the
// first pooling, 2 for each of 16 blocks (sum and activation), and 2 after them. Here
// two paddings are part of convolution and pooling, and flattening is a node.
func TestCandidatePointsOfResNet50(t *testing.T) {
	o := modelbuilder.ResNet50()
	o.BatchNorm = true
	m, err := modelbuilder.ResNet(1, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.WriteSparse(path); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, path, Options{NoDigest: true})
	points := c.CandidatePoints()
	if want := 41 - 2 + 1; len(points) != want {
		t.Errorf("%d candidates, want %d: %v", len(points), want, points)
	}
	for _, b := range points {
		if n := len(c.Cuts[b].Tensors); n != 1 {
			t.Errorf("candidate %d carries %d tensors", b, n)
		}
	}
}
