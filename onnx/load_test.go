package onnx

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// dimensions binds what the builders leave symbolic.
func dimensions(name string) map[string]int64 {
	switch name {
	case "residual-batchnorm":
		return map[string]int64{"batch": 1}
	case "if-of-shape":
		return map[string]int64{"batch": 4}
	case "transformer":
		return map[string]int64{"sequence": 8}
	}
	return nil
}

// write puts a model into a temporary folder.
func write(t testing.TB, m *modelbuilder.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad loads a model that describes itself completely.
func mustLoad(t testing.TB, path string, o Options) *Chain {
	t.Helper()
	c, err := Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Multiply-adds and parameters as torchvision publishes them with its weights (with
// the stride of ResNet-50 in the 3x3 convolution, as here). Folding batch normalisation
// leaves one bias of its two parameters a channel; the limits of clipping and the scalars
// of attention and GELU are weights of the file and no parameters. FLOPs are two for a
// multiply-add, and count activations and normalisation too, which published figures
// leave out: most in MobileNetV2.
func TestPublishedArchitectures(t *testing.T) {
	resnet := func(o modelbuilder.ResNetOptions) func(uint64) (*modelbuilder.Model, error) {
		return func(seed uint64) (*modelbuilder.Model, error) { return modelbuilder.ResNet(seed, o) }
	}
	tests := []struct {
		name       string
		build      func(seed uint64) (*modelbuilder.Model, error)
		parameters int64
		giga       float64 // multiply-adds
	}{
		{"ResNet-18", resnet(modelbuilder.ResNet18()), 11_689_512 - 4_800, 1.814},
		{"ResNet-50", resnet(modelbuilder.ResNet50()), 25_557_032 - 26_560, 4.089},
		{"VGG-16", modelbuilder.VGG16, 138_357_544, 15.47},
		{"MobileNetV2", modelbuilder.MobileNetV2, 3_504_872 - 17_056 + 2, 0.301},
		{"ViT-B/16", modelbuilder.ViTB16, 86_567_656 + 12*4, 17.56},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := test.build(1)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := m.WriteSparse(path); err != nil {
				t.Fatal(err)
			}
			c := mustLoad(t, path, Options{})
			if c.ParameterBytes != 4*test.parameters {
				t.Errorf("%d bytes of parameters, want %d", c.ParameterBytes, 4*test.parameters)
			}
			if got := float64(c.FLOPs) / 2e9; got < test.giga-0.005*test.giga || got > 1.025*test.giga {
				t.Errorf("%.3f billion multiply-adds, published are %.3f", got, test.giga)
			}
		})
	}
}

// A residual block by hand: what is alive where, and what the engine would fuse.
func TestCutsOfAResidualBlock(t *testing.T) {
	b := modelbuilder.New("block", 1)
	x := b.Input("x", tensor.Float32, 1, 8, 4, 4)
	y := b.Node("Relu", []string{b.Conv(x, 8, 3, 1)})
	y = b.Conv(y, 8, 3, 1)
	b.Output(b.Node("Relu", []string{b.Node("Add", []string{y, x})}))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddValueInfo(); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, write(t, m), Options{})

	type cut struct {
		Tensors []string
		Bytes   int64
		Splits  bool
	}
	const one = 8 * 4 * 4 * 4
	want := []cut{
		{[]string{"x"}, one, false},
		{[]string{"x", "Conv_1"}, 2 * one, true},
		{[]string{"x", "Relu_1"}, 2 * one, false},
		{[]string{"x", "Conv_2"}, 2 * one, false},
		{[]string{"Add_1"}, one, false},
		{[]string{"Relu_2"}, one, false},
	}
	var got []cut
	for _, k := range c.Cuts {
		var names []string
		for _, info := range k.Tensors {
			names = append(names, info.Name)
		}
		got = append(got, cut{names, k.Bytes, k.SplitsFusion})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cuts (-want +got):\n%s", diff)
	}

	const macs = 8 * 4 * 4 * 8 * 9
	segments := []Segment{
		{"Conv_1", "Conv", 2*macs + 128, 4 * (8*8*9 + 8), 2 * one},
		{"Relu_1", "Relu", 128, 0, 3 * one},
		{"Conv_2", "Conv", 2*macs + 128, 4 * (8*8*9 + 8), 3 * one},
		{"Add_1", "Add", 128, 0, 3 * one},
		{"Relu_2", "Relu", 128, 0, 2 * one},
	}
	if diff := cmp.Diff(segments, c.Segments); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
}

// Two branches over a wide tensor, interleaved in the file: taking one after the
// other keeps less alive.
func TestOrderKeepsFewBytesAlive(t *testing.T) {
	b := modelbuilder.New("interleaved", 1)
	x := b.Input("x", tensor.Float32, 1, 4, 64, 64)
	left, right := b.Conv(x, 16, 3, 1), b.Conv(x, 16, 3, 1)
	left, right = b.Node("GlobalAveragePool", []string{left}), b.Node("GlobalAveragePool", []string{right})
	b.Output(b.Node("Add", []string{left, right}))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddValueInfo(); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, write(t, m), Options{})
	var order []string
	for _, s := range c.Segments {
		order = append(order, s.Node)
	}
	want := []string{"Conv_1", "GlobalAveragePool_1", "Conv_2", "GlobalAveragePool_2", "Add_1"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// Weights that nodes make are no segments, and count.
func TestConstantNodesAreWeights(t *testing.T) {
	m, err := modelbuilder.Constants(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), write(t, m), Options{Shapes: engine(t)})
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(3 * 32 * 32 * 4); c.ParameterBytes != want {
		t.Errorf("%d bytes of parameters, want %d", c.ParameterBytes, want)
	}
	for _, s := range c.Segments {
		switch s.Op {
		case "Constant", "ConstantOfShape", "Transpose":
			t.Errorf("%s %q is a segment", s.Op, s.Node)
		}
	}
}

// A graph of 2,000 nodes, as large as DenseNet-121 with some to spare, is read, shaped,
// costed and ordered in well under a second, whether its file states shapes or not.
func BenchmarkLoad(b *testing.B) {
	for _, bare := range []bool{false, true} {
		name := map[bool]string{false: "stated", true: "inferred"}[bare]
		b.Run(name, func(b *testing.B) {
			m, err := modelbuilder.ResNet(1, modelbuilder.ResNetOptions{Blocks: []int{400}, Width: 4, Image: 8, Classes: 10, Bare: bare})
			if err != nil {
				b.Fatal(err)
			}
			path, shapes := write(b, m), engine(b)
			for b.Loop() {
				c := mustLoad(b, path, Options{Shapes: shapes})
				b.ReportMetric(float64(len(c.Segments)), "segments")
			}
		})
	}
}
