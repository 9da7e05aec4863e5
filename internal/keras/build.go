package keras

// classes is the number of ImageNet's classes.
const classes = 1000

// builder adds layers to a graph; a layer is named by its index.
type builder struct{ layers []Layer }

func (b *builder) graph(name string) *Graph { return &Graph{Name: name, Layers: b.layers} }

func (b *builder) add(kind string, output Shape, params int, inputs ...int) int {
	b.layers = append(b.layers, Layer{Kind: kind, Output: output, Params: params, Inputs: inputs})
	return len(b.layers) - 1
}

func (b *builder) shape(x int) Shape { return b.layers[x].Output }

func (b *builder) channels(x int) int { return b.layers[x].Output.C }

func (b *builder) input(side int) int { return b.add("InputLayer", Shape{side, side, 3}, 0) }

// window is what a convolution or a pooling slides over its input. Padding is
// "same" (the output is the input divided by the stride, rounded up) unless valid.
type window struct {
	h, w, stride int
	valid        bool
}

func square(side int) window               { return window{h: side, w: side, stride: 1} }
func (k window) by(stride int) window      { k.stride = stride; return k }
func (k window) unpadded() window          { k.valid = true; return k }
func (k window) over(s Shape, c int) Shape { return Shape{k.side(s.H, k.h), k.side(s.W, k.w), c} }
func rectangle(h, w int) window            { return window{h: h, w: w, stride: 1} }
func (k window) side(input, kernel int) int {
	if k.valid {
		return (input-kernel)/k.stride + 1
	}
	return (input + k.stride - 1) / k.stride
}

func (b *builder) conv(x, filters int, k window) int {
	return b.add("Conv2D", k.over(b.shape(x), filters), k.h*k.w*b.channels(x)*filters, x)
}

func (b *builder) biasedConv(x, filters int, k window) int {
	y := b.conv(x, filters, k)
	b.layers[y].Params += filters
	return y
}

func (b *builder) depthwise(x int, k window) int {
	return b.add("DepthwiseConv2D", k.over(b.shape(x), b.channels(x)), k.h*k.w*b.channels(x), x)
}

func (b *builder) separable(x, filters int, k window) int {
	c := b.channels(x)
	return b.add("SeparableConv2D", k.over(b.shape(x), filters), k.h*k.w*c+c*filters, x)
}

// norm is a batch normalisation: scale, offset, mean and variance a channel.
func (b *builder) norm(x int) int { return b.same("BatchNormalization", 4*b.channels(x), x) }

// normUnscaled is one without the scale.
func (b *builder) normUnscaled(x int) int { return b.same("BatchNormalization", 3*b.channels(x), x) }

// same is a layer with the shape of its first input.
func (b *builder) same(kind string, params int, inputs ...int) int {
	return b.add(kind, b.shape(inputs[0]), params, inputs...)
}

func (b *builder) activation(x int) int     { return b.same("Activation", 0, x) }
func (b *builder) sum(x ...int) int         { return b.same("Add", 0, x...) }
func (b *builder) normActivation(x int) int { return b.activation(b.norm(x)) }

// pad adds rows and columns, so many in all.
func (b *builder) pad(x, n int) int {
	s := b.shape(x)
	return b.add("ZeroPadding2D", Shape{s.H + n, s.W + n, s.C}, 0, x)
}

func (b *builder) pool(kind string, x int, k window) int {
	return b.add(kind, k.over(b.shape(x), b.channels(x)), 0, x)
}

func (b *builder) maxPool(x int, k window) int     { return b.pool("MaxPooling2D", x, k) }
func (b *builder) averagePool(x int, k window) int { return b.pool("AveragePooling2D", x, k) }

func (b *builder) concatenate(x ...int) int {
	s := b.shape(x[0])
	s.C = 0
	for _, y := range x {
		s.C += b.channels(y)
	}
	return b.add("Concatenate", s, 0, x...)
}

func (b *builder) globalPool(x int) int {
	return b.add("GlobalAveragePooling2D", Shape{1, 1, b.channels(x)}, 0, x)
}

func (b *builder) dense(x, units int) int {
	return b.add("Dense", Shape{1, 1, units}, (b.channels(x)+1)*units, x)
}

// classifier is the usual top.
func (b *builder) classifier(x int) int { return b.dense(b.globalPool(x), classes) }
