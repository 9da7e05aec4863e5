//go:build unix

package solver

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkWireless prints for the setting of the paper how many of the problems
// that have a placement are proven optimal, and the most seconds of one of them. The
// target is all, each under 1 s.
func BenchmarkWireless(b *testing.B) {
	for _, n := range []int{5, 10, 15, 20, 50} {
		for _, l := range []int{41, 105} {
			for _, parts := range []float64{1.5, 3.5, 7.5, 12.5} {
				if parts+1 > float64(n) {
					continue
				}
				b.Run(fmt.Sprintf("n=%d/candidates=%d/parts=%g", n, l, parts), func(b *testing.B) {
					proven, solvable := 0, 0
					var most time.Duration
					for b.Loop() {
						for seed := range uint64(*clusterSeeds) {
							begin := processTime()
							s, err := Solve(withComputing(b.Context(), 10*time.Second), wireless(seed, n, l, parts), Options{})
							if err != nil {
								b.Fatal(err)
							}
							most = max(most, processTime()-begin)
							if s.Status != Infeasible {
								solvable++
							}
							if s.Status == Optimal {
								proven++
							}
						}
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(most.Seconds(), "s/most")
					b.ReportMetric(100*float64(proven)/float64(max(1, solvable)), "%proven")
				})
			}
		}
	}
}
