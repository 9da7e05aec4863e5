package simulation_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// systems draws clusters with one to three pipelines, radios, interfaces and processor costs.
func systems(t *rapid.T) *simulation.System {
	seconds := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(1, 100).Draw(t, "ms")) / 1000 })
	s := &simulation.System{}
	for range rapid.IntRange(1, 6).Draw(t, "devices") {
		s.Devices = append(s.Devices, simulation.Device{
			Cores:          rapid.SampledFrom([]float64{0, 1, 2, 4}).Draw(t, "cores"),
			MessageSeconds: rapid.SampledFrom([]float64{0, 0.001}).Draw(t, "message"),
		})
	}
	for range rapid.IntRange(1, 5).Draw(t, "media") {
		s.Media = append(s.Media, simulation.Medium{})
	}
	jitter := rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "jitter")
	for range rapid.IntRange(1, 3).Draw(t, "models") {
		m := simulation.Model{Queue: rapid.IntRange(1, 3).Draw(t, "queue"), TimeoutSeconds: 60, Gateway: rapid.IntRange(-1, len(s.Devices)-1).Draw(t, "gateway")}
		n := rapid.IntRange(1, len(s.Devices)).Draw(t, "stages")
		nodes := rapid.Permutation(indexes(len(s.Devices))).Draw(t, "nodes")[:n]
		at := m.Gateway
		for i := range n + 1 {
			to := m.Gateway
			if i < n {
				to = nodes[i]
				m.Stages = append(m.Stages, simulation.Stage{Device: to, Seconds: seconds.Draw(t, "compute"), Jitter: jitter})
			}
			h := simulation.Hop{Bytes: rapid.Int64Range(0, 1<<21).Draw(t, "bytes"), Jitter: jitter}
			if h.Local = at == to || at == -1 || to == -1; !h.Local {
				h.LatencySeconds = rapid.SampledFrom([]float64{0, 0.01}).Draw(t, "latency")
				for _, medium := range rapid.Permutation(indexes(len(s.Media))).Draw(t, "media")[:rapid.IntRange(0, min(2, len(s.Media))).Draw(t, "uses")] {
					h.Uses = append(h.Uses, simulation.Use{Medium: medium, Seconds: seconds.Draw(t, "transfer")})
				}
			}
			m.Hops = append(m.Hops, h)
			at = to
		}
		m.Load.Concurrency = rapid.IntRange(1, 60).Draw(t, "concurrency")
		if rapid.Bool().Draw(t, "open") {
			m.Load.Rate = rapid.Float64Range(0.1, 30).Draw(t, "rate")
		}
		s.Models = append(s.Models, m)
	}
	return s
}

func indexes(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

// What holds of every run: Little's law (requests present = throughput x latency), no queue
// above its bound, nothing busier than all the time, nobody answered more than once.
func TestRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := systems(rt)
		r := run(t, s, simulation.Options{Seconds: 60, Seed: rapid.Uint64().Draw(rt, "seed")})
		for i, m := range r.Models {
			if err := check(s.Models[i], m, r.Seconds); err != nil {
				rt.Errorf("model %d: %v", i, err)
			}
		}
		for _, share := range append(slices.Clone(r.Devices), r.Media...) {
			if share < 0 || share > 1+1e-9 {
				rt.Errorf("something is busy for %v of the time", share)
			}
		}
	})
}

func check(m simulation.Model, r simulation.ModelResult, seconds float64) error {
	if r.Failed > 0 && m.Load.Rate == 0 {
		return fmt.Errorf("%d requests failed", r.Failed)
	}
	sum := 0.0
	for _, l := range r.Latencies {
		sum += l
	}
	// Those present at the ends of the run count on one side only.
	ends := 2 * float64(r.Present.Most) * r.Quantile(1) / seconds
	if r.Failed == 0 && math.Abs(r.Present.Mean-sum/seconds) > ends+1e-6 {
		return fmt.Errorf("%v requests are present, and throughput x latency is %v", r.Present.Mean, sum/seconds)
	}
	if m.Load.Rate == 0 && r.Present.Most != m.Load.Concurrency {
		return fmt.Errorf("%d requests at once, want %d", r.Present.Most, m.Load.Concurrency)
	}
	for i, st := range r.Stages {
		if st.Queue.Most > m.Queue || st.Queue.Mean > float64(m.Queue)+1e-9 || r.Hops[i].Queue.Most > m.Queue {
			return fmt.Errorf("a queue of stage %d holds %d and %d, and its bound is %d", i, st.Queue.Most, r.Hops[i].Queue.Most, m.Queue)
		}
	}
	if len(r.Latencies) != r.Answered || !slices.IsSorted(r.Latencies) {
		return fmt.Errorf("%d answers have %d latencies", r.Answered, len(r.Latencies))
	}
	return nil
}

// Losses of devices: while they end before a request has been tried for long enough, every request is answered in the
// end, once; and after the last device is back everything is as before.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := systems(rt)
		for i := range s.Models {
			m := &s.Models[i]
			m.Load = simulation.Load{Rate: 0.5, Even: true, Concurrency: 1000}
			m.TimeoutSeconds = 1000
		}
		at := 10.0
		for range rapid.IntRange(1, 4).Draw(rt, "losses") {
			l := simulation.Loss{Device: rapid.IntRange(0, len(s.Devices)-1).Draw(rt, "device"), AtSeconds: at, Seconds: rapid.Float64Range(0.01, 4).Draw(rt, "away")}
			if slices.ContainsFunc(s.Models, func(m simulation.Model) bool { return m.Gateway == l.Device }) {
				continue // whose loss does fail requests
			}
			s.Losses = append(s.Losses, l)
			at += l.Seconds + rapid.Float64Range(0.01, 2).Draw(rt, "pause")
		}
		r := run(t, s, simulation.Options{Seconds: 500, Seed: 1})
		for i, m := range r.Models {
			// Those due in the warm-up and answered after it count, and those at the end do not.
			if due := int(0.5 * r.Seconds); m.Failed > 0 || m.Answered < due-5 || m.Answered > due+60 {
				rt.Errorf("model %d: %d answered and %d failed of %d requests", i, m.Answered, m.Failed, due)
			}
			if m.Present.Most > 100 {
				rt.Errorf("model %d: %d requests pile up", i, m.Present.Most)
			}
		}
	})
}
