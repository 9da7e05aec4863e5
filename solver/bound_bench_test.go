package solver

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkGap prints the gap to the proven bound on random clusters, in percent,
// with the relaxation alone (unpriced) and with prices: the mean and the most of
// some clusters of each size.
func BenchmarkGap(b *testing.B) {
	const clusters = 2
	for _, n := range []int{14, 20, 50} {
		for _, l := range []int{48, 96} {
			b.Run(fmt.Sprintf("n=%d/L=%d", n, l), func(b *testing.B) {
				var before, after, most float64
				for range b.N {
					before, after, most = 0, 0, 0
					for seed := range uint64(clusters) {
						r := largeRun(b, cluster(seed+1, n, l, 0.3, false, false))
						gap := 100 * float64(r.best.peak-r.low) / float64(r.best.peak)
						before += 100 * float64(r.best.peak-r.unpriced) / float64(r.best.peak) / clusters
						after += gap / clusters
						most = max(most, gap)
					}
				}
				b.ReportMetric(before, "%unpriced")
				b.ReportMetric(after, "%gap")
				b.ReportMetric(most, "%most")
			})
		}
	}
}

// largeRun solves without the exact search, as for clusters that it cannot take.
func largeRun(b *testing.B, p *Problem) *run {
	r := &run{p: p, m: newModel(p), b: &budget{ctx: b.Context(), limit: 10 * time.Second}, algorithm: Greedy}
	rest, _ := r.m.minimax(r.b)
	r.low = rest.first()[0]
	r.offer(r.m.greedy(r.low, r.b))
	r.heuristics(rest)
	if r.way == nil {
		b.Fatal("no placement")
	}
	r.low = r.m.bound(r.low, r.best.peak, r.b)
	r.unpriced = r.low
	r.price()
	return r
}
