package solver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// profile is a Vision Transformer as a chain of layers: its seconds on a device of
// speed 1, its weights and the bytes of its cuts, for batches of 8.
type profile struct {
	seconds []float64
	weights []int64
	cuts    []int64
	buffers [2]int64 // in and out
}

// vit gives ViT-Base (48 layers) or ViT-Large (96) as PipeEdge measured them on a
// Minnowboard, or where its files are absent a chain of the same shape.
func vit(tb testing.TB, layers int) profile {
	tb.Helper()
	name := map[int]string{48: "google/vit-base-patch16-224", 96: "google/vit-large-patch16-224"}[layers]
	if _, err := os.Stat(filepath.Join(sharedPath(), "data", "pipeedge")); err == nil && name != "" {
		p := pipeEdge(tb, name, map[string]int{"Minnowboard-E3845": 1})
		return profile{p.Nodes[0].SegmentSeconds, p.SegmentBytes, p.CutBytes, [2]int64{p.InBuffers, p.OutBuffers}}
	}
	return likeViT(layers)
}

// likeViT repeats the four layers of a block: attention, its projection, and the
// two halves of the perceptron.
func likeViT(layers int) profile {
	seconds, mebibytes, tensor := []float64{0.34, 0.082, 0.352, 0.3}, []float64{24.6, 19.3, 26.9, 26.2}, []int64{302592, 151296, 756480, 151296}
	scale := 1.0
	if layers > 48 {
		seconds, scale = []float64{0.56, 0.14, 0.61, 0.53}, 4.0/3
	}
	p := profile{cuts: []int64{150528 * 32 / 3}, buffers: [2]int64{3, 3}}
	for s := range layers {
		wave := 1 + 0.03*math.Sin(float64(5*s))
		p.seconds = append(p.seconds, seconds[s%4]*wave)
		p.weights = append(p.weights, int64(mebibytes[s%4]*scale*scale*(1<<20)))
		p.cuts = append(p.cuts, int64(float64(tensor[s%4])*scale)*32)
	}
	p.cuts[layers] = 1000 * 32
	return p
}

// links of a random cluster.
const (
	interfaces = "interfaces" // each device has one, and a link the lower rate of its two
	arbitrary  = "arbitrary"  // every pair has a rate of its own, and 30 % have none
)

// vitCluster draws different devices: speeds x0.4 to 2.5, memory of 256 to 2048 MiB,
// and links of 5 to 1000 Mbit/s of either kind.
func vitCluster(of profile, seed uint64, n int, links string) *Problem {
	draw := rand.New(rand.NewPCG(seed, uint64(n)*1000+uint64(len(of.seconds))))
	p := &Problem{SegmentBytes: of.weights, CutBytes: of.cuts, InBuffers: of.buffers[0], OutBuffers: of.buffers[1]}
	rates := make([]float64, n)
	for v := range n {
		speed := 0.4 * math.Pow(2.5/0.4, draw.Float64())
		node := Node{Name: fmt.Sprintf("v%d", v), MemoryBytes: int64(256+draw.IntN(2048-256+1)) << 20}
		for _, x := range of.seconds {
			node.SegmentSeconds = append(node.SegmentSeconds, x/speed)
		}
		p.Nodes = append(p.Nodes, node)
		rates[v] = 5 + 995*draw.Float64()
	}
	for u := range n {
		p.Bandwidth = append(p.Bandwidth, make([]float64, n))
		for v := range u {
			mbps := min(rates[u], rates[v])
			if links == arbitrary {
				mbps = 5 + 995*draw.Float64()
				if draw.Float64() < 0.3 {
					mbps = 0
				}
			}
			p.Bandwidth[u][v], p.Bandwidth[v][u] = mbps*125_000, mbps*125_000
		}
	}
	return p
}
