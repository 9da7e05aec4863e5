package modelbuilder

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Named is a model of the collection.
type Named struct {
	Name string
	*Model
}

// All makes one small model of every kind that a reader, a slicer and an engine
// have to get right.
func All(seed uint64) ([]Named, error) {
	list := []struct {
		name string
		make func(seed uint64) (*Model, error)
	}{
		{"residual", func(seed uint64) (*Model, error) { return ResNet(seed, Small()) }},
		{"residual-batchnorm", residualBatchNorm},
		{"dense", Dense}, {"branching", Branching}, {"inception", Inception}, {"unet", UNet}, {"transformer", Transformer},
		{"if", If}, {"if-of-shape", IfOfShape}, {"loop", Loop}, {"scan", Scan}, {"quantised", QDQ}, {"constants", Constants}, {"function", Function},
	}
	var all []Named
	for _, entry := range list {
		m, err := entry.make(seed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.name, err)
		}
		all = append(all, Named{entry.name, m})
	}
	return all, nil
}

func residualBatchNorm(seed uint64) (*Model, error) {
	o := Small()
	o.BatchNorm, o.Bare, o.Batch = true, true, "batch"
	o.Image, o.Width = 16, 8
	return ResNet(seed, o)
}

// Dense is a densely connected block: every layer reads the outputs of all before it.
func Dense(seed uint64) (*Model, error) {
	b := New("dense", seed)
	features := []string{b.Input("image", tensor.Float32, 1, 3, 16, 16)}
	for range 5 {
		x := features[0]
		if len(features) > 1 {
			x = b.Node("Concat", features, Int("axis", 1))
		}
		features = append(features, b.Node("Relu", []string{b.Conv(x, 6, 3, 1)}))
	}
	x := b.Node("Concat", features, Int("axis", 1))
	b.Output(b.Node("GlobalAveragePool", []string{x}))
	return b.Model()
}

// Branching has several inputs and outputs: one output is made early, one input is
// read late, one is an output too, and one weight is read by several nodes.
func Branching(seed uint64) (*Model, error) {
	b := New("branching", seed)
	x := b.Input("x", tensor.Float32, 2, 32)
	y := b.Input("y", tensor.Float32, 2, 32)
	late := b.Input("late", tensor.Float32, 2, 32)
	shared := b.Weight("shared", 32, 32, 32)
	early := b.Node("MatMul", []string{x, shared})
	left := b.Node("Tanh", []string{b.Linear(early, 32)})
	right := b.Node("Sigmoid", []string{b.Node("MatMul", []string{y, shared})})
	joined := b.Node("Mul", []string{left, right})
	sum := b.Node("Add", []string{joined, late})
	last := b.Node("Relu", []string{b.Node("MatMul", []string{sum, shared})})
	b.Output(last, early, b.Node("Identity", []string{right}))
	return b.Model()
}

// Inception is two modules of four branches each (Szegedy et al. 2014, arXiv 1409.4842).
func Inception(seed uint64) (*Model, error) {
	b := New("inception", seed)
	x := b.Input("image", tensor.Float32, 1, 8, 16, 16)
	conv := func(x string, channels, kernel int) string {
		return b.Node("Relu", []string{b.Conv(x, channels, kernel, 1)})
	}
	for range 2 {
		point, three, five := conv(x, 4, 1), conv(x, 6, 1), conv(x, 2, 1)
		pool := b.Node("MaxPool", []string{x}, window(3, 1, 1)...)
		x = b.Node("Concat", []string{point, conv(three, 8, 3), conv(five, 4, 5), conv(pool, 4, 1)}, Int("axis", 1))
	}
	b.Output(b.Node("GlobalAveragePool", []string{x}))
	return b.Model()
}

// Perceptron is a chain of equal layers, each width x width weights, a bias and a
// rectifier: as large as wanted, and quick to make.
func Perceptron(seed uint64, layers, width int) (*Model, error) {
	b := New("perceptron", seed)
	x := b.Input("x", tensor.Float32, 1, width)
	for range layers {
		x = b.Node("Relu", []string{b.Linear(x, width)})
	}
	b.Output(x)
	m, err := b.Model()
	if err != nil {
		return nil, err
	}
	return m, m.AddValueInfo()
}

// UNet halves the image and doubles it again, with a long skip at every size.
func UNet(seed uint64) (*Model, error) {
	b := New("unet", seed)
	x := b.Input("image", tensor.Float32, 1, 1, 16, 16)
	var skips []string
	for depth := range 3 {
		x = b.Node("Relu", []string{b.Conv(x, 4<<depth, 3, 1)})
		skips = append(skips, x)
		x = b.Node("MaxPool", []string{x}, window(2, 2, 0)...)
	}
	x = b.Node("Relu", []string{b.Conv(x, 32, 3, 1)})
	for depth := 2; depth >= 0; depth-- {
		in, out := b.infos[x].Shape[1], int64(4)<<depth
		w := b.Weight(fmt.Sprintf("up_%d", depth), in, in, out, 2, 2)
		x = b.Node("ConvTranspose", []string{x, w}, window(2, 2, 0)...)
		x = b.Node("Concat", []string{skips[depth], x}, Int("axis", 1))
		x = b.Node("Relu", []string{b.Conv(x, int(out), 3, 1)})
	}
	b.Output(b.Node("Sigmoid", []string{b.Conv(x, 1, 1, 1)}))
	return b.Model()
}

// Transformer is two encoder layers over embedded tokens; a mask that is an input
// is read by both. The length of the sequence is symbolic.
func Transformer(seed uint64) (*Model, error) {
	b := New("transformer", seed)
	const length, width, heads = 8, 32, 4
	x := b.Input("embedded", tensor.Float32, 1, "sequence", width)
	b.Describe(x, tensor.Float32, 1, length, width)
	mask := b.Input("mask", tensor.Float32, 1, 1, "sequence", "sequence")
	b.Describe(mask, tensor.Float32, 1, 1, length, length)
	scale := b.Floats("scale", nil, 0.35355339)
	for layer := range 2 {
		project := func(axes ...int64) string {
			y := b.Node("Reshape", []string{b.Linear(x, width), b.Int64s(b.unique("heads"), 0, -1, heads, width/heads)})
			b.Describe(y, tensor.Float32, 1, length, heads, width/heads)
			return b.Node("Transpose", []string{y}, Ints("perm", axes...))
		}
		query, key, value := project(0, 2, 1, 3), project(0, 2, 3, 1), project(0, 2, 1, 3)
		scores := b.Node("Mul", []string{b.Node("MatMul", []string{query, key}), scale})
		weights := b.Node("Softmax", []string{b.Node("Add", []string{scores, mask})}, Int("axis", -1))
		mixed := b.Node("Transpose", []string{b.Node("MatMul", []string{weights, value})}, Ints("perm", 0, 2, 1, 3))
		flat := b.Node("Reshape", []string{mixed, b.Int64s(b.unique("flat"), 0, -1, width)})
		b.Describe(flat, tensor.Float32, 1, length, width)
		x = b.layerNorm(b.Node("Add", []string{x, b.Linear(flat, width)}), width)
		hidden := b.gelu(b.Linear(x, 2*width), layer)
		x = b.layerNorm(b.Node("Add", []string{x, b.Linear(hidden, width)}), width)
	}
	b.Output(b.Rename(x, "encoded"))
	return b.Model()
}

func (b *Builder) layerNorm(x string, width int64) string {
	name := b.unique("ln")
	scale := b.Uniform(name+"_scale", 0.8, 1.2, width)
	return b.Node("LayerNormalization", []string{x, scale, b.Uniform(name+"_bias", -0.1, 0.1, width)}, Int("axis", -1))
}

// gelu is x/2 (1 + erf(x/sqrt 2)), written out as exporters do.
func (b *Builder) gelu(x string, layer int) string {
	constant := func(name string, v float32) string { return b.Floats(fmt.Sprintf("%s_%d", name, layer), nil, v) }
	root, one, half := constant("root", 1.41421356), constant("one", 1), constant("half", 0.5)
	e := b.Node("Erf", []string{b.Node("Div", []string{x, root})})
	return b.Node("Mul", []string{b.Node("Mul", []string{x, b.Node("Add", []string{e, one})}), half})
}
