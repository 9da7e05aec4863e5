package keras

import "math"

// EfficientNetB1 is Tan and Le, arXiv 1905.11946: depth 1.1, width 1.
func EfficientNetB1() *Graph {
	b := &builder{}
	x := b.same("Rescaling", 0, b.input(240))
	x = b.same("Normalization", 2*3+1, x) // mean and variance a channel, and a count
	x = b.same("Rescaling", 0, x)         // the weights of ImageNet were trained with another scale
	x = b.conv(b.pad(x, 1), 32, square(3).by(2).unpadded())
	x = b.normActivation(x)
	first := true
	for _, s := range []struct{ kernel, blocks, filters, expand, stride int }{
		{3, 1, 16, 1, 1}, {3, 2, 24, 6, 2}, {5, 2, 40, 6, 2}, {3, 3, 80, 6, 2},
		{5, 3, 112, 6, 1}, {5, 4, 192, 6, 2}, {3, 1, 320, 6, 1},
	} {
		for k := range int(math.Ceil(1.1 * float64(s.blocks))) {
			stride := s.stride
			if k > 0 {
				stride = 1
			}
			x = b.squeezed(x, s.kernel, s.filters, s.expand, stride, !first)
			first = false
		}
	}
	x = b.globalPool(b.normActivation(b.conv(x, 1280, square(1))))
	b.dense(b.same("Dropout", 0, x), classes)
	return b.graph("EfficientNetB1")
}

// squeezed is an inverted residual with squeeze and excitation.
func (b *builder) squeezed(x, kernel, filters, expand, stride int, drop bool) int {
	in, y := b.channels(x), x
	if expand > 1 {
		y = b.normActivation(b.conv(x, expand*in, square(1)))
	}
	y = b.normActivation(b.strided(y, kernel, stride))
	s := b.same("Reshape", 0, b.globalPool(y))
	s = b.biasedConv(s, max(1, in/4), square(1))
	s = b.biasedConv(s, b.channels(y), square(1))
	y = b.norm(b.conv(b.same("Multiply", 0, y, s), filters, square(1)))
	if stride > 1 || in != filters {
		return y
	}
	if drop {
		y = b.same("Dropout", 0, y)
	}
	return b.sum(y, x)
}
