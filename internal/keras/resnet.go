package keras

// ResNet50 is He, Zhang, Ren and Sun, arXiv 1512.03385.
func ResNet50() *Graph {
	b := &builder{}
	x := b.pad(b.input(224), 6)
	x = b.normActivation(b.biasedConv(x, 64, square(7).by(2).unpadded()))
	x = b.maxPool(b.pad(x, 2), square(3).by(2).unpadded())
	for i, blocks := range []int{3, 4, 6, 3} {
		for k := range blocks {
			stride := 1
			if k == 0 && i > 0 {
				stride = 2
			}
			x = b.residual(x, 64<<i, stride, k == 0)
		}
	}
	b.classifier(x)
	return b.graph("ResNet50")
}

// residual is a bottleneck block, with a convolution or nothing on the shortcut.
func (b *builder) residual(x, filters, stride int, project bool) int {
	shortcut := x
	if project {
		shortcut = b.norm(b.biasedConv(x, 4*filters, square(1).by(stride)))
	}
	y := b.normActivation(b.biasedConv(x, filters, square(1).by(stride)))
	y = b.normActivation(b.biasedConv(y, filters, square(3)))
	y = b.norm(b.biasedConv(y, 4*filters, square(1)))
	return b.activation(b.sum(shortcut, y))
}

// ResNet50V2 is He, Zhang, Ren and Sun, arXiv 1603.05027.
func ResNet50V2() *Graph {
	b := &builder{}
	x := b.biasedConv(b.pad(b.input(224), 6), 64, square(7).by(2).unpadded())
	x = b.maxPool(b.pad(x, 2), square(3).by(2).unpadded())
	for i, blocks := range []int{3, 4, 6, 3} {
		for k := range blocks {
			stride := 1
			if k == blocks-1 && i < 3 {
				stride = 2
			}
			x = b.residualV2(x, 64<<i, stride, k == 0)
		}
	}
	b.classifier(b.normActivation(x))
	return b.graph("ResNet50V2")
}

func (b *builder) residualV2(x, filters, stride int, project bool) int {
	before := b.normActivation(x)
	shortcut := x
	switch {
	case project:
		shortcut = b.biasedConv(before, 4*filters, square(1).by(stride))
	case stride > 1:
		shortcut = b.maxPool(x, square(1).by(stride))
	}
	y := b.normActivation(b.conv(before, filters, square(1)))
	y = b.normActivation(b.conv(b.pad(y, 2), filters, square(3).by(stride).unpadded()))
	return b.sum(shortcut, b.biasedConv(y, 4*filters, square(1)))
}
