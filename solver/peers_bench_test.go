//go:build unix

package solver

import (
	"math"
	"strings"
	"testing"
	"time"
)

// BenchmarkPipeEdge prints the seconds of one core until the optimum is proven: of
// PipeEdge's own example with both models (the target is 0.5 s), and of random
// clusters of 14 hosts, with how many times faster that is than the 31 s of
// PipeEdge's scheduler (the target is 100).
func BenchmarkPipeEdge(b *testing.B) {
	both := map[string]int{"Minnowboard-E3845": 4, "RCC-VE-C2000": 4}
	for model, want := range map[string]float64{"google/vit-base-patch16-224": 1.5487600088, "google/vit-large-patch16-224": 5.0428330183} {
		b.Run(strings.TrimPrefix(model, "google/"), func(b *testing.B) {
			p := pipeEdge(b, model, both)
			begin := processTime()
			for b.Loop() {
				if s := proven(b, p); math.Abs(s.Cost.BottleneckSeconds-want) > 5e-11 {
					b.Fatalf("%.10f s, want %.10f s", s.Cost.BottleneckSeconds, want)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric((processTime()-begin).Seconds()/float64(b.N), "s/proof")
		})
	}
	b.Run("hosts=14", func(b *testing.B) {
		of := vit(b, 48)
		var most time.Duration
		for b.Loop() {
			for seed := range uint64(*clusterSeeds) {
				begin := processTime()
				proven(b, vitCluster(of, seed+1, 14, interfaces))
				most = max(most, processTime()-begin)
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(most.Seconds(), "s/most")
		b.ReportMetric(31/most.Seconds(), "times")
	})
}

func proven(b *testing.B, p *Problem) *Solution {
	s, err := Solve(b.Context(), p, Options{})
	if err != nil || s.Status != Optimal {
		b.Fatal(s, err)
	}
	return s
}

// BenchmarkLargest prints what is reached within 60 s of one core with 500 devices
// and 500 segments, and the memory that the process took from the system.
func BenchmarkLargest(b *testing.B) {
	of := likeViT(500)
	for k := range of.seconds {
		of.seconds[k] /= 8 // one image at a time, or the times of the whole chain overflow
	}
	for k := range of.cuts {
		of.cuts[k] /= 8
	}
	for _, links := range []string{interfaces, arbitrary} {
		b.Run(links, func(b *testing.B) {
			p := vitCluster(of, 1, 500, links)
			for b.Loop() {
				begin := processTime()
				s, err := Solve(withComputing(b.Context(), 60*time.Second), p, Options{})
				if err != nil || s.Cost == nil {
					b.Fatal(s, err)
				}
				b.ReportMetric((processTime() - begin).Seconds(), "s/solution")
				b.ReportMetric(100*s.Gap(), "%gap")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(mostMemory())/(1<<30), "GiB")
		})
	}
}
