package keras

// InceptionResNetV2 is Szegedy, Ioffe, Vanhoucke and Alemi, arXiv 1602.07261.
func InceptionResNetV2() *Graph {
	b := &builder{}
	x := b.inceptionStem(b.input(299))
	x = b.concatenate(b.unit(x, 96, square(1)),
		b.units(x, step{48, square(1)}, step{64, square(5)}),
		b.units(x, step{64, square(1)}, step{96, square(3)}, step{96, square(3)}),
		b.unit(b.averagePool(x, square(3)), 64, square(1)))
	for range 10 {
		x = b.activation(b.scaledResidual(x, step{32, square(1)}.alone(),
			[]step{{32, square(1)}, {32, square(3)}},
			[]step{{32, square(1)}, {48, square(3)}, {64, square(3)}}))
	}
	halve := square(3).by(2).unpadded()
	x = b.concatenate(b.unit(x, 384, halve),
		b.units(x, step{256, square(1)}, step{256, square(3)}, step{384, halve}),
		b.maxPool(x, halve))
	for range 20 {
		x = b.activation(b.scaledResidual(x, step{192, square(1)}.alone(),
			[]step{{128, square(1)}, {160, rectangle(1, 7)}, {192, rectangle(7, 1)}}))
	}
	x = b.concatenate(b.units(x, step{256, square(1)}, step{384, halve}),
		b.units(x, step{256, square(1)}, step{288, halve}),
		b.units(x, step{256, square(1)}, step{288, square(3)}, step{320, halve}),
		b.maxPool(x, halve))
	block8 := [][]step{step{192, square(1)}.alone(), {{192, square(1)}, {224, rectangle(1, 3)}, {256, rectangle(3, 1)}}}
	for range 9 {
		x = b.activation(b.scaledResidual(x, block8...))
	}
	x = b.scaledResidual(x, block8...) // the last one without an activation
	b.classifier(b.unit(x, 1536, square(1)))
	return b.graph("InceptionResNetV2")
}

// step is one convolution of a branch.
type step struct {
	filters int
	k       window
}

func (s step) alone() []step { return []step{s} }

// unit is a convolution with normalisation and activation.
func (b *builder) unit(x, filters int, k window) int {
	return b.activation(b.normUnscaled(b.conv(x, filters, k)))
}

func (b *builder) units(x int, steps ...step) int {
	for _, s := range steps {
		x = b.unit(x, s.filters, s.k)
	}
	return x
}

// scaledResidual adds branches that are joined, widened and scaled to their input.
func (b *builder) scaledResidual(x int, branches ...[]step) int {
	var ends []int
	for _, steps := range branches {
		ends = append(ends, b.units(x, steps...))
	}
	up := b.biasedConv(b.concatenate(ends...), b.channels(x), square(1))
	return b.same("CustomScaleLayer", 0, x, up)
}

// inceptionStem is the beginning of InceptionV3 and InceptionResNetV2.
func (b *builder) inceptionStem(x int) int {
	x = b.unit(x, 32, square(3).by(2).unpadded())
	x = b.unit(x, 32, square(3).unpadded())
	x = b.maxPool(b.unit(x, 64, square(3)), square(3).by(2).unpadded())
	x = b.unit(x, 80, square(1).unpadded())
	x = b.unit(x, 192, square(3).unpadded())
	return b.maxPool(x, square(3).by(2).unpadded())
}
