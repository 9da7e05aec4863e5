package paper

import (
	"testing"

	"github.com/edgeplan/edgeplan/internal/keras"
)

// The sums of the unit weights say of every part whether it fits.
func TestUnitWeightsSayWhatFits(t *testing.T) {
	for _, build := range []func() *keras.Graph{keras.ResNet50, keras.InceptionResNetV2, keras.MobileNetV2, keras.EfficientNetB1} {
		c := NewChain(build())
		for mebibytes := int64(4); mebibytes <= 512; mebibytes += 4 {
			weights, limit := c.UnitWeights(mebibytes * Mebibyte)
			for i := range c.Points {
				var sum int64
				for j := i + 1; j <= len(c.Points); j++ {
					sum += weights[j-1]
					if fits := c.Fits(i, j, mebibytes*Mebibyte); fits != (sum <= limit) {
						t.Fatalf("%s, %d MiB, points %d..%d: fits %v, weight %d of %d", c.Model, mebibytes, i, j-1, fits, sum, limit)
					}
				}
			}
		}
	}
}
