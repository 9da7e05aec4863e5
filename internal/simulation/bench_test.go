package simulation_test

import (
	"testing"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// BenchmarkThousandDevices answers 100,000 requests on 1,000 devices with jitter: as one
// hundred pipelines of ten stages over ten radios, and as one pipeline of a thousand
// stages, with a hundredth of the requests.
func BenchmarkThousandDevices(b *testing.B) {
	b.Run("100-pipelines", func(b *testing.B) {
		s := &simulation.System{}
		for range 100 {
			add(s, line(0.01, 0.01, 0.02, 0.03, 0.02, 0.01, 0.01, 0.03, 0.02, 0.02, 0.01))
		}
		for i := range s.Models {
			for k := range s.Models[i].Hops {
				s.Models[i].Hops[k].Uses[0].Medium = i % 10
			}
		}
		benchmark(b, s, 100_000)
	})
	b.Run("1000-stages", func(b *testing.B) {
		stages := make([]float64, 1000)
		for i := range stages {
			stages[i] = 0.01 + float64(i%7)/1000
		}
		s := line(0.01, stages...)
		s.Models[0].Load.Concurrency = 1000
		benchmark(b, s, 10_000)
	})
}

// add puts a line's devices, media and pipeline beside those of a system.
func add(s, l *simulation.System) {
	m := l.Models[0]
	m.Gateway += len(s.Devices)
	m.Load.Concurrency = 20
	for i := range m.Stages {
		m.Stages[i].Device += len(s.Devices)
		m.Stages[i].Jitter = 0.1
	}
	for i := range m.Hops {
		m.Hops[i].Jitter = 0.1
		m.Hops[i].Uses[0].Medium += len(s.Media)
	}
	s.Devices, s.Media, s.Models = append(s.Devices, l.Devices...), append(s.Media, l.Media...), append(s.Models, m)
}

func benchmark(b *testing.B, s *simulation.System, requests int) {
	var events int64
	for b.Loop() {
		events += run(b, s, simulation.Options{Requests: requests, Seed: 1}).Events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/run")
}
