package keras

// DenseNet121 is Huang, Liu, van der Maaten and Weinberger, arXiv 1608.06993.
func DenseNet121() *Graph {
	b := &builder{}
	x := b.pad(b.input(224), 6)
	x = b.normActivation(b.conv(x, 64, square(7).by(2).unpadded()))
	x = b.maxPool(b.pad(x, 2), square(3).by(2).unpadded())
	for i, blocks := range []int{6, 12, 24, 16} {
		if i > 0 {
			x = b.conv(b.normActivation(x), b.channels(x)/2, square(1))
			x = b.averagePool(x, square(2).by(2).unpadded())
		}
		for range blocks {
			y := b.conv(b.normActivation(x), 4*32, square(1))
			y = b.conv(b.normActivation(y), 32, square(3))
			x = b.concatenate(x, y)
		}
	}
	b.classifier(b.normActivation(x))
	return b.graph("DenseNet121")
}

// VGG16 is Simonyan and Zisserman, arXiv 1409.1556.
func VGG16() *Graph { return vgg("VGG16", 2, 2, 3, 3, 3) }

// VGG19 is its longer sister.
func VGG19() *Graph { return vgg("VGG19", 2, 2, 4, 4, 4) }

func vgg(name string, blocks ...int) *Graph {
	b := &builder{}
	x := b.input(224)
	for i, convs := range blocks {
		for range convs {
			x = b.biasedConv(x, min(512, 64<<i), square(3)) // its activation is part of the layer
		}
		x = b.maxPool(x, square(2).by(2).unpadded())
	}
	x = b.add("Flatten", Shape{1, 1, b.shape(x).Elements()}, 0, x)
	b.dense(b.dense(b.dense(x, 4096), 4096), classes)
	return b.graph(name)
}

// Xception is Chollet, arXiv 1610.02357.
func Xception() *Graph {
	b := &builder{}
	x := b.normActivation(b.conv(b.input(299), 32, square(3).by(2).unpadded()))
	x = b.normActivation(b.conv(x, 64, square(3).unpadded()))
	x = b.separated(x, true, false, 128, 128)
	x = b.separated(x, true, true, 256, 256)
	x = b.separated(x, true, true, 728, 728)
	for range 8 {
		x = b.separated(x, false, true, 728, 728, 728)
	}
	x = b.separated(x, true, true, 728, 1024)
	x = b.normActivation(b.separable(x, 1536, square(3)))
	b.classifier(b.normActivation(b.separable(x, 2048, square(3))))
	return b.graph("Xception")
}

// separated is a residual block of separable convolutions, with an activation
// before each but, where active is false, the first.
func (b *builder) separated(x int, halve, active bool, filters ...int) int {
	y, shortcut := x, x
	for i, n := range filters {
		if active || i > 0 {
			y = b.activation(y)
		}
		y = b.norm(b.separable(y, n, square(3)))
	}
	if halve {
		shortcut = b.norm(b.conv(x, filters[len(filters)-1], square(1).by(2)))
		y = b.maxPool(y, square(3).by(2))
	}
	return b.sum(y, shortcut)
}
