package paper

import (
	"math"
	"testing"

	"github.com/edgeplan/edgeplan/internal/keras"
)

// The numbers of candidate partition points on the layer graphs of Keras, by the
// rule of the published code.
func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		build func() *keras.Graph
		want  int
	}{
		{keras.ResNet50, 41},
		{keras.InceptionResNetV2, 105},
		{keras.MobileNetV2, 76},
		{keras.EfficientNetB1, 94},
		{keras.ResNet50V2, 33},
		{keras.InceptionV3, 31},
		{keras.DenseNet121, 81},
		{keras.VGG16, 23},
		{keras.VGG19, 26},
		{keras.Xception, 27},
	} {
		g := c.build()
		chain := NewChain(g)
		if got := len(chain.Points); got != c.want {
			t.Errorf("%s: %d candidates, want %d", g.Name, got, c.want)
		}
		if first, last := chain.Points[0], chain.Points[len(chain.Points)-1]; first != 0 || last != len(g.Layers)-1 {
			t.Errorf("%s: the candidates go from layer %d to %d of %d", g.Name, first, last, len(g.Layers)-1)
		}
	}
}

// The transfers of the published code in Mbit; two where the output has two readers.
func TestTransfers(t *testing.T) {
	for _, c := range []struct {
		build func() *keras.Graph
		shape keras.Shape
		want  []float64
	}{
		{keras.ResNet50, keras.Shape{H: 224, W: 224, C: 3}, []float64{6.38}},
		{keras.ResNet50, keras.Shape{H: 56, W: 56, C: 256}, []float64{34.03, 68.06}},
		{keras.ResNet50, keras.Shape{H: 28, W: 28, C: 512}, []float64{17.01, 34.03}},
		{keras.ResNet50, keras.Shape{H: 14, W: 14, C: 1024}, []float64{8.51, 17.01}},
		{keras.ResNet50, keras.Shape{H: 7, W: 7, C: 2048}, []float64{4.25, 8.51}},
		{keras.MobileNetV2, keras.Shape{H: 14, W: 14, C: 64}, []float64{0.532}},
	} {
		g := c.build()
		chain, found := NewChain(g), map[float64]int{}
		for k, v := range chain.Points {
			if g.Layers[v].Output != c.shape {
				continue
			}
			for _, want := range c.want {
				if math.Abs(chain.Transfer[k]-want) < 0.006 {
					found[want]++
				}
			}
		}
		for _, want := range c.want {
			if found[want] == 0 {
				t.Errorf("%s: no candidate of %v moves %v Mbit", g.Name, c.shape, want)
			}
		}
	}
}

// Nothing is lost between the points but, in the published count, the input layer.
func TestBlocksCoverTheModel(t *testing.T) {
	g := keras.EfficientNetB1()
	c := NewChain(g)
	var block, weights, outputs int64
	for k := range c.Points {
		block += c.Block[k]
		weights += c.Weights[k]
	}
	for _, l := range g.Layers[1:] {
		outputs += int64(l.Output.Elements())
	}
	params := int64(g.Params())
	if weights != 4*params || block != 4*outputs+params {
		t.Errorf("the blocks have %d bytes of weights and need %d; the model has %d and %d", weights, block, 4*params, 4*outputs+params)
	}
	if last := len(c.Points) - 1; c.Block[last] != 0 || c.Transfer[last] != 0 {
		t.Errorf("behind the output are %d bytes and %v Mbit", c.Block[last], c.Transfer[last])
	}
}
