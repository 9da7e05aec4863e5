package onnx

import (
	"testing"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
)

// engine is ONNX Runtime.
func engine(t testing.TB) *ort.Engine {
	t.Helper()
	e, err := ort.Open(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// With optimisation disabled, slices in sequence give the whole model's bytes: for
// every cut in two, and for seeded cuts in three and five, of every model of the
// builders. At the default level every cut matches, and those that split no fusion
// are counted.
func TestSlicesComputeTheSame(t *testing.T) {
	all, err := modelbuilder.All(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			path := write(t, m.Model)
			c := mustLoad(t, path, Options{Dimensions: dimensions(m.Name), Shapes: engine(t)})
			got := sweepModel(t, c, everything)
			t.Log(got)
			if got.offered == 0 {
				t.Error("no cut is offered")
			}
			if got.uncuttable > 0 || got.unsized > 0 {
				t.Errorf("%d cuts are impossible, %d carry what has no size", got.uncuttable, got.unsized)
			}
		})
	}
}
