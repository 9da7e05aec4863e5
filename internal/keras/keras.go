// Package keras describes image classifiers as the layer graphs that Keras builds
// of them: layers with output shapes, numbers of parameters and edges, no weights.
// Each architecture is written from its definition in keras.applications, with the
// classifier on top and 1,000 classes, so that layers, edges and parameters are the
// same one by one.
package keras

import "fmt"

// Shape is the output of a layer for one image: height, width and channels. A
// vector has height and width 1.
type Shape struct{ H, W, C int }

// Elements is the number of values.
func (s Shape) Elements() int { return s.H * s.W * s.C }

func (s Shape) String() string {
	if s.H == 1 && s.W == 1 {
		return fmt.Sprint(s.C)
	}
	return fmt.Sprintf("%dx%dx%d", s.H, s.W, s.C)
}

// Layer is one layer of a Graph.
type Layer struct {
	Kind   string // the class in Keras, such as "Conv2D"
	Output Shape
	Params int   // weights, those that are not trained included
	Inputs []int // indexes of layers, all smaller than the layer's own
}

// Graph is a model. Its layers are in topological order: the input is the first,
// the only output the last.
type Graph struct {
	Name   string
	Layers []Layer
}

// Params is the number of all weights.
func (g *Graph) Params() (sum int) {
	for _, l := range g.Layers {
		sum += l.Params
	}
	return sum
}

// Consumers gives for each layer the layers that read its output, ascending.
func (g *Graph) Consumers() [][]int {
	out := make([][]int, len(g.Layers))
	for v, l := range g.Layers {
		for _, u := range l.Inputs {
			out[u] = append(out[u], v)
		}
	}
	return out
}
