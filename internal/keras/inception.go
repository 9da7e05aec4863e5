package keras

// InceptionV3 is Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, arXiv 1512.00567.
func InceptionV3() *Graph {
	b := &builder{}
	x := b.inceptionStem(b.input(299))
	for _, pooled := range []int{32, 64, 64} {
		x = b.concatenate(b.unit(x, 64, square(1)),
			b.units(x, step{48, square(1)}, step{64, square(5)}),
			b.units(x, step{64, square(1)}, step{96, square(3)}, step{96, square(3)}),
			b.unit(b.averagePool(x, square(3)), pooled, square(1)))
	}
	halve := square(3).by(2).unpadded()
	x = b.concatenate(b.unit(x, 384, halve),
		b.units(x, step{64, square(1)}, step{96, square(3)}, step{96, halve}),
		b.maxPool(x, halve))
	wide, tall := rectangle(1, 7), rectangle(7, 1)
	for _, n := range []int{128, 160, 160, 192} {
		x = b.concatenate(b.unit(x, 192, square(1)),
			b.units(x, step{n, square(1)}, step{n, wide}, step{192, tall}),
			b.units(x, step{n, square(1)}, step{n, tall}, step{n, wide}, step{n, tall}, step{192, wide}),
			b.unit(b.averagePool(x, square(3)), 192, square(1)))
	}
	x = b.concatenate(b.units(x, step{192, square(1)}, step{320, halve}),
		b.units(x, step{192, square(1)}, step{192, wide}, step{192, tall}, step{192, halve}),
		b.maxPool(x, halve))
	for range 2 {
		x = b.concatenate(b.unit(x, 320, square(1)),
			b.fork(b.unit(x, 384, square(1))),
			b.fork(b.units(x, step{448, square(1)}, step{384, square(3)})),
			b.unit(b.averagePool(x, square(3)), 192, square(1)))
	}
	b.classifier(x)
	return b.graph("InceptionV3")
}

func (b *builder) fork(x int) int {
	return b.concatenate(b.unit(x, 384, rectangle(1, 3)), b.unit(x, 384, rectangle(3, 1)))
}
