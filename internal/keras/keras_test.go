package keras

import "testing"

// The numbers of parameters that keras.applications prints.
func TestParams(t *testing.T) {
	for _, c := range []struct {
		build func() *Graph
		want  int
	}{
		{ResNet50, 25_636_712},
		{InceptionResNetV2, 55_873_736},
		{MobileNetV2, 3_538_984},
		{EfficientNetB1, 7_856_239},
		{ResNet50V2, 25_613_800},
		{InceptionV3, 23_851_784},
		{DenseNet121, 8_062_504},
		{VGG16, 138_357_544},
		{VGG19, 143_667_240},
		{Xception, 22_910_480},
	} {
		g := c.build()
		if got := g.Params(); got != c.want {
			t.Errorf("%s: %d parameters, want %d", g.Name, got, c.want)
		}
	}
}

// The input is the first layer and the only one without inputs, the classes are the
// last layer and the only one that nothing reads.
func TestGraphsAreWhole(t *testing.T) {
	for _, build := range []func() *Graph{
		ResNet50, InceptionResNetV2, MobileNetV2, EfficientNetB1, ResNet50V2, InceptionV3, DenseNet121, VGG16, VGG19, Xception,
	} {
		g := build()
		last := len(g.Layers) - 1
		for v, readers := range g.Consumers() {
			if (len(g.Layers[v].Inputs) == 0) != (v == 0) || (len(readers) == 0) != (v == last) {
				t.Errorf("%s: layer %d of %d reads %v and is read by %v", g.Name, v, last, g.Layers[v].Inputs, readers)
			}
		}
		if got := g.Layers[last].Output; got != (Shape{1, 1, 1000}) {
			t.Errorf("%s ends with %v", g.Name, got)
		}
	}
}
