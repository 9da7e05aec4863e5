package main

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/edgeplan/edgeplan/internal/keras"
	"github.com/edgeplan/edgeplan/internal/paper"
)

// The paper's grid.
var (
	architectures = []func() *keras.Graph{keras.ResNet50, keras.InceptionResNetV2, keras.MobileNetV2, keras.EfficientNetB1}
	capacities    = []int64{64, 128, 256, 512} // MiB
	sizes         = []int{5, 10, 15, 20, 50}   // nodes
	classCounts   = []int{2, 5, 8, 11, 14, 17, 20}
)

const (
	timeLimit     = time.Second // of each search of the solver
	trials        = 50          // networks of each size
	mostClasses   = 20          // of the figures that the paper prints
	manyNodes     = paper.MaxNodes
	networkStream = 1
)

// row is one model on nodes of one capacity.
type row struct {
	chain *paper.Chain
	graph *keras.Graph
	mib   int64
}

func (r row) capacity() int64 { return r.mib * paper.Mebibyte }

// transfers says that the model does not fit one node by the published count.
func (r row) transfers() bool {
	_, err := r.chain.Partition(r.capacity(), manyNodes)
	return !errors.Is(err, paper.ErrOneNode)
}

// allRows are all models on all capacities.
func allRows() (rows []row) {
	for _, build := range architectures {
		g := build()
		chain := paper.NewChain(g)
		for _, mib := range capacities {
			rows = append(rows, row{chain, g, mib})
		}
	}
	return rows
}

// rowsWithTransfers are those where there is anything to place.
func rowsWithTransfers() (rows []row) {
	for _, r := range allRows() {
		if r.transfers() {
			rows = append(rows, r)
		}
	}
	return rows
}

// place is where in the grid an instance stands.
type place struct {
	model string
	mib   int64
	nodes int
	trial int
}

// network is the same for all rows and algorithms, so that they are compared on the
// same networks.
func (p place) network() paper.Network {
	return paper.NewNetwork(p.nodes, rand.New(rand.NewPCG(networkStream, uint64(p.nodes*trials+p.trial))))
}

// seed of what an algorithm draws on an instance.
func (p place) seed(of uint64) uint64 {
	return of<<32 + uint64(p.mib)<<16 + uint64(p.nodes*trials+p.trial)
}

func (p place) draw(of uint64) *rand.Rand {
	return rand.New(rand.NewPCG(networkStream+1, p.seed(of)))
}
