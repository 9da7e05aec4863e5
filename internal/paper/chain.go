package paper

import (
	"slices"

	"github.com/edgeplan/edgeplan/internal/keras"
)

// The published constants of the transfer size.
const (
	bytesOfFloat  = 8    // a value that is sent is counted as a double
	zfpRatio      = 1.44 // what the ZFP compression of the transfers is taken to reach
	bitsOfMbit    = 1 << 20
	MbitOfElement = bytesOfFloat / zfpRatio * 8 / bitsOfMbit
)

// Chain is a model between its candidate partition points, numbered 0..P-1 from the
// input layer to the output layer.
type Chain struct {
	Model  string
	Points []int // layers
	// Elements that a cut behind each point moves: those of its output, once for
	// each layer that reads it. The output layer has 0.
	Elements []int64
	// Transfer is the same in Mbit (2^20 bits): T in the paper.
	Transfer []float64
	// Block is what the layers behind each point, up to the next one, need in the
	// published code: 4 bytes for each value of their outputs and 1 byte for each
	// parameter: m in the paper. The last is 0.
	Block []int64
	// Weights and Live are what the layers up to each point, from behind the one
	// before, need in fact: 4 bytes for each parameter, and for each value of the
	// largest set of outputs that are alive at once.
	Weights, Live []int64
}

// NewChain finds the candidate points of a graph and what lies between them.
func NewChain(g *keras.Graph) *Chain {
	level := levels(g)
	c := &Chain{Model: g.Name, Points: candidates(g, level)}
	consumers := g.Consumers()
	for _, v := range c.Points {
		n := int64(len(consumers[v])) * int64(g.Layers[v].Output.Elements())
		c.Elements = append(c.Elements, n)
		c.Transfer = append(c.Transfer, float64(n)*MbitOfElement)
	}
	c.Block, c.Weights, c.Live = make([]int64, len(c.Points)), make([]int64, len(c.Points)), make([]int64, len(c.Points))
	for v, l := range g.Layers {
		k := pointBehind(c.Points, level, v)
		if k > 0 {
			c.Block[k-1] += 4*int64(l.Output.Elements()) + int64(l.Params)
		}
		c.Weights[k] += 4 * int64(l.Params)
		c.Live[k] = max(c.Live[k], 4*alive(g, consumers, level, v))
	}
	return c
}

// levels gives the longest path from the input to each layer, in edges.
func levels(g *keras.Graph) []int {
	level := make([]int, len(g.Layers))
	for v, l := range g.Layers {
		for _, u := range l.Inputs {
			level[v] = max(level[v], level[u]+1)
		}
	}
	return level
}

// candidates are the layers that are alone on their level and that no edge passes:
// all that is computed behind them is computed from their output.
func candidates(g *keras.Graph, level []int) []int {
	alone, passed := make([]int, slices.Max(level)+1), make([]bool, slices.Max(level)+1)
	for v, l := range g.Layers {
		alone[level[v]]++
		for _, u := range l.Inputs {
			for k := level[u] + 1; k < level[v]; k++ {
				passed[k] = true
			}
		}
	}
	var out []int
	for v := range g.Layers {
		if alone[level[v]] == 1 && !passed[level[v]] {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return level[a] - level[b] })
	return out
}

// pointBehind is the first candidate whose level is not below that of a layer.
func pointBehind(points, level []int, v int) int {
	return slices.IndexFunc(points, func(p int) bool { return level[p] >= level[v] })
}

// alive counts the values that exist while a layer runs, when layers run level by
// level: its own and all that it or a later layer still reads.
func alive(g *keras.Graph, consumers [][]int, level []int, v int) int64 {
	before := func(a, b int) bool { return level[a] < level[b] || level[a] == level[b] && a < b }
	n := int64(g.Layers[v].Output.Elements())
	for u, l := range g.Layers {
		read := func(w int) bool { return !before(w, v) }
		if before(u, v) && slices.ContainsFunc(consumers[u], read) {
			n += int64(l.Output.Elements())
		}
	}
	return n
}
