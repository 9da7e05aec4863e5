package paper

import (
	"math"
	"math/rand/v2"
)

// Network is a complete undirected graph: the bandwidth of each pair in Mbps.
type Network [][]float64

// The published generator: nodes uniform in a square, the capacity of a channel with
// a signal that falls with the square of the distance.
const (
	squareFrom, squareTo = 1, 150 // metres
	signalAtOneMetre     = 283230
)

// NewNetwork draws a network of n nodes.
func NewNetwork(n int, draw *rand.Rand) Network {
	x, y, net := make([]float64, n), make([]float64, n), make(Network, n)
	for v := range n {
		x[v] = squareFrom + (squareTo-squareFrom)*draw.Float64()
		y[v] = squareFrom + (squareTo-squareFrom)*draw.Float64()
		net[v] = make([]float64, n)
		for u := range v {
			dx, dy := x[u]-x[v], y[u]-y[v]
			net[u][v] = math.Log2(1 + signalAtOneMetre/(dx*dx+dy*dy))
			net[v][u] = net[u][v]
		}
	}
	return net
}

// Fastest is the highest bandwidth.
func (net Network) Fastest() (band float64) {
	for u, row := range net {
		for v := range u {
			band = max(band, row[v])
		}
	}
	return band
}
