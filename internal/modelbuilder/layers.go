package modelbuilder

import (
	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
)

// Conv adds a two-dimensional convolution with seeded weights and bias, padded so
// that stride 1 keeps the image's size (odd kernels).
func (b *Builder) Conv(x string, channels, kernel, stride int) string {
	in := b.infos[x].Shape
	if len(in) != 4 {
		b.Fail("convolution of %q, which has shape %v and not four dimensions", x, in)
		return x
	}
	name := b.unique("filter")
	k, c := int64(kernel), int64(channels)
	w := b.Weight(name, in[1]*k*k, c, in[1], k, k)
	bias := b.Uniform(name+"_bias", -0.1, 0.1, c)
	return b.Node("Conv", []string{x, w, bias}, window(k, int64(stride), k/2)...)
}

// BatchNorm adds batch normalisation with seeded, well-conditioned statistics.
func (b *Builder) BatchNorm(x string) string {
	c := b.infos[x].Shape[1]
	name := b.unique("norm")
	return b.Node("BatchNormalization", []string{
		x,
		b.Uniform(name+"_scale", 0.5, 1.5, c),
		b.Uniform(name+"_bias", -0.1, 0.1, c),
		b.Uniform(name+"_mean", -0.1, 0.1, c),
		b.Uniform(name+"_variance", 0.5, 1.5, c),
	}, Float("epsilon", 1e-5))
}

// Linear adds a matrix product with seeded weights over the last dimension, and a bias.
func (b *Builder) Linear(x string, features int) string {
	shape := b.infos[x].Shape
	name := b.unique("linear")
	in, out := shape[len(shape)-1], int64(features)
	w := b.Weight(name+"_weight", 2*in, in, out)
	bias := b.Uniform(name+"_bias", -0.1, 0.1, out)
	return b.Node("Add", []string{b.Node("MatMul", []string{x, w}), bias})
}

// Reshape gives a tensor another shape.
func (b *Builder) Reshape(x string, shape ...int64) string {
	y := b.Node("Reshape", []string{x, b.Int64s(b.unique("shape"), shape...)})
	b.Describe(y, b.infos[x].Type, shape...)
	return y
}

// Rename gives the output of the node added last another name.
func (b *Builder) Rename(old, name string) string {
	node := b.graph.Node[len(b.graph.Node)-1]
	for i, output := range node.Output {
		if output == old {
			node.Output[i] = name
		}
	}
	if info, ok := b.infos[old]; ok {
		info.Name = name
		b.infos[name] = info
		delete(b.infos, old)
	}
	node.Name = proto.String(name)
	return name
}

// window is the attributes of a square two-dimensional convolution or pooling.
func window(kernel, stride, pad int64) []*onnxpb.AttributeProto {
	return []*onnxpb.AttributeProto{
		Ints("kernel_shape", kernel, kernel), Ints("strides", stride, stride), Ints("pads", pad, pad, pad, pad),
	}
}
