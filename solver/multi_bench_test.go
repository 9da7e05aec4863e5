package solver

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// manyModels puts models of l segments on the cluster that cluster draws, with
// required throughputs of 1 to 4 and memory that holds all of them about twice.
func manyModels(seed uint64, models, n, l int, shared, gateway bool) *Problem {
	draw := rand.New(rand.NewPCG(seed, uint64(models*1000+n)))
	p := &Problem{}
	for k := range models {
		q := cluster(seed+uint64(100*k), n, l, 0, shared, gateway)
		if k == 0 {
			p.Bandwidth, p.Shared, p.Nodes = q.Bandwidth, q.Shared, q.Nodes
		}
		p.Models = append(p.Models, Model{
			Name: fmt.Sprintf("m%d", k), RequiredThroughput: float64(1 + draw.IntN(4)), Gateway: q.Gateway,
			CutBytes: q.CutBytes, SegmentBytes: q.SegmentBytes, ActivationBytes: q.ActivationBytes, InBuffers: q.InBuffers, OutBuffers: q.OutBuffers,
		})
	}
	for v := range p.Nodes {
		node := &p.Nodes[v]
		speed := 0.4 + 2.1*draw.Float64()
		node.SegmentSeconds, node.BaseBytes = nil, 20<<20
		for _, m := range p.Models {
			var seconds []float64
			for _, w := range m.SegmentBytes {
				seconds = append(seconds, float64(w)/(100<<20)/speed*(0.9+0.2*draw.Float64()))
				node.MemoryBytes += int64(2 * float64(w) / float64(n) * (0.5 + draw.Float64()))
			}
			node.MemoryBytes += 60 << 20
			node.ModelSeconds = append(node.ModelSeconds, seconds)
		}
	}
	return p
}

// BenchmarkModels prints the gap to the proven bound for several models on random
// clusters, in percent, the mean and the most of some clusters of each size, and what
// the bounds of each model alone would have left as the gap. Work ends each search, so
// the gaps are the same on every machine.
func BenchmarkModels(b *testing.B) {
	const clusters = 3
	for _, size := range []struct{ models, n, l int }{{2, 6, 12}, {2, 10, 24}, {3, 10, 24}, {4, 10, 24}, {2, 20, 48}, {3, 20, 48}, {4, 20, 48}, {2, 50, 48}, {3, 50, 48}, {4, 50, 48}} {
		b.Run(fmt.Sprintf("models=%d/n=%d/L=%d", size.models, size.n, size.l), func(b *testing.B) {
			var mean, most, alone float64
			for range b.N {
				mean, most, alone = 0, 0, 0
				for seed := range uint64(clusters) {
					p := manyModels(seed+1, size.models, size.n, size.l, seed == 1, seed == 2)
					s, err := Solve(b.Context(), p, Options{})
					if err != nil || s.Cost == nil {
						b.Fatal(err, s)
					}
					if err := Verify(p, s); err != nil {
						b.Fatal(err)
					}
					gap := 100 * s.Gap()
					mean, most = mean+gap/clusters, max(most, gap)
					r := &jointRun{p: p, j: newJoint(p), b: &budget{ctx: b.Context()}}
					r.alone(b.Context())
					alone += 100 * (1 - toSeconds(r.low)/s.Cost.BottleneckSeconds) / clusters
				}
			}
			b.ReportMetric(mean, "%gap")
			b.ReportMetric(most, "%most")
			b.ReportMetric(alone, "%alone")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/clusters, "s/solve")
		})
	}
}
