package modelbuilder

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/tensor"
)

// VGG16 is the network of Simonyan and Zisserman (arXiv 1409.1556, table 1, D).
func VGG16(seed uint64) (*Model, error) {
	b := New("vgg16", seed)
	x := b.Input("image", tensor.Float32, 1, 3, 224, 224)
	for _, stage := range [][]int{{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}} {
		for _, channels := range stage {
			x = b.Node("Relu", []string{b.Conv(x, channels, 3, 1)})
		}
		x = b.Node("MaxPool", []string{x}, window(2, 2, 0)...)
	}
	x = b.Node("Flatten", []string{x}, Int("axis", 1))
	for _, features := range []int{4096, 4096} {
		x = b.Node("Relu", []string{b.Linear(x, features)})
	}
	b.Output(b.Linear(x, 1000))
	return b.described()
}

// MobileNetV2 is the network of Sandler et al. (arXiv 1801.04381, table 2), with batch
// normalisation folded into the convolutions.
func MobileNetV2(seed uint64) (*Model, error) {
	b := New("mobilenetv2", seed)
	low, high := b.Floats("zero", nil, 0), b.Floats("six", nil, 6)
	clip := func(x string) string { return b.Node("Clip", []string{x, low, high}) }
	x := clip(b.Conv(b.Input("image", tensor.Float32, 1, 3, 224, 224), 32, 3, 2))
	for _, s := range []struct{ expansion, channels, blocks, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for block := range s.blocks {
			stride := 1
			if block == 0 {
				stride = s.stride
			}
			in, y := int(b.infos[x].Shape[1]), x
			if s.expansion > 1 {
				y = clip(b.Conv(y, s.expansion*in, 1, 1))
			}
			y = b.Conv(clip(b.depthwise(y, stride)), s.channels, 1, 1)
			if stride == 1 && in == s.channels {
				y = b.Node("Add", []string{y, x})
			}
			x = y
		}
	}
	x = b.Node("GlobalAveragePool", []string{clip(b.Conv(x, 1280, 1, 1))})
	b.Output(b.Linear(b.Node("Flatten", []string{x}, Int("axis", 1)), 1000))
	return b.described()
}

// depthwise is a 3x3 convolution of each channel by itself.
func (b *Builder) depthwise(x string, stride int) string {
	name, channels := b.unique("depthwise"), b.infos[x].Shape[1]
	w, bias := b.Weight(name, 9, channels, 1, 3, 3), b.Uniform(name+"_bias", -0.1, 0.1, channels)
	return b.Node("Conv", []string{x, w, bias}, append(window(3, int64(stride), 1), Int("group", channels))...)
}

// ViTB16 is the vision transformer of Dosovitskiy et al. (arXiv 2010.11929, table 1,
// Base) with patches of 16x16 pixels.
func ViTB16(seed uint64) (*Model, error) {
	const width, hidden, layers, tokens = 768, 3072, 12, 197
	b := New("vit-b-16", seed)
	x := b.Input("image", tensor.Float32, 1, 3, 224, 224)
	w := b.Weight("patches", 3*16*16, width, 3, 16, 16)
	x = b.Node("Conv", []string{x, w, b.Uniform("patches_bias", -0.1, 0.1, width)}, window(16, 16, 0)...)
	x = b.Node("Transpose", []string{b.Reshape(x, 1, width, tokens-1)}, Ints("perm", 0, 2, 1))
	x = b.Node("Concat", []string{b.Uniform("class", -0.1, 0.1, 1, 1, width), x}, Int("axis", 1))
	x = b.Node("Add", []string{x, b.Uniform("positions", -0.1, 0.1, 1, tokens, width)})
	for layer := range layers {
		x = b.Node("Add", []string{x, b.selfAttention(b.layerNorm(x, width), 12)})
		x = b.Node("Add", []string{x, b.Linear(b.gelu(b.Linear(b.layerNorm(x, width), hidden), layer), width)})
	}
	first := b.Node("Gather", []string{b.layerNorm(x, width), b.Raw("first", tensor.Int64, nil, encode([]int64{0}))}, Int("axis", 1))
	b.Describe(first, tensor.Float32, 1, width)
	b.Output(b.Linear(first, 1000))
	return b.described()
}

// selfAttention mixes the tokens of [1, tokens, width], written out as exporters do.
func (b *Builder) selfAttention(x string, heads int64) string {
	tokens, width := b.infos[x].Shape[1], b.infos[x].Shape[2]
	project := func(axes ...int64) string {
		return b.Node("Transpose", []string{b.Reshape(b.Linear(x, int(width)), 1, tokens, heads, width/heads)}, Ints("perm", axes...))
	}
	query, key, value := project(0, 2, 1, 3), project(0, 2, 3, 1), project(0, 2, 1, 3)
	scale := b.Floats(fmt.Sprintf("%s_scale", b.unique("attention")), nil, 0.125)
	scores := b.Node("Mul", []string{b.Node("MatMul", []string{query, key}), scale})
	mixed := b.Node("MatMul", []string{b.Node("Softmax", []string{scores}, Int("axis", -1)), value})
	return b.Linear(b.Reshape(b.Node("Transpose", []string{mixed}, Ints("perm", 0, 2, 1, 3)), 1, tokens, width), int(width))
}

// described ends the graph and states every shape in it.
func (b *Builder) described() (*Model, error) {
	m, err := b.Model()
	if err != nil {
		return nil, err
	}
	return m, m.AddValueInfo()
}
