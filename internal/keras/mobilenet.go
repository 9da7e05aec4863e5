package keras

// MobileNetV2 is Sandler, Howard, Zhu, Zhmoginov and Chen, arXiv 1801.04381.
func MobileNetV2() *Graph {
	b := &builder{}
	x := b.normActivation(b.conv(b.input(224), 32, square(3).by(2)))
	for i, s := range []struct{ filters, blocks, stride int }{
		{16, 1, 1}, {24, 2, 2}, {32, 3, 2}, {64, 4, 2}, {96, 3, 1}, {160, 3, 2}, {320, 1, 1},
	} {
		for k := range s.blocks {
			stride, expand := s.stride, 6
			if k > 0 {
				stride = 1
			}
			if i == 0 {
				expand = 1
			}
			x = b.invertedResidual(x, s.filters, stride, expand)
		}
	}
	b.classifier(b.normActivation(b.conv(x, 1280, square(1))))
	return b.graph("MobileNetV2")
}

func (b *builder) invertedResidual(x, filters, stride, expand int) int {
	y := x
	if expand > 1 {
		y = b.normActivation(b.conv(x, expand*b.channels(x), square(1)))
	}
	y = b.normActivation(b.strided(y, 3, stride))
	y = b.norm(b.conv(y, filters, square(1)))
	if stride == 1 && b.channels(x) == filters {
		return b.sum(x, y)
	}
	return y
}

// strided is a depthwise convolution; with a stride its padding is a layer of its
// own.
func (b *builder) strided(x, kernel, stride int) int {
	if stride == 1 {
		return b.depthwise(x, square(kernel))
	}
	even := 1 - b.shape(x).H%2
	return b.depthwise(b.pad(x, kernel-1-even), square(kernel).by(stride).unpadded())
}
