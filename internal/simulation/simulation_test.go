package simulation_test

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// line is a pipeline of stages that take the given seconds, each on a device of its own, with
// links between them that take transfer seconds; the gateway is a device without a stage, or
// none where there is no transfer.
func line(transfer float64, stages ...float64) *simulation.System {
	s := &simulation.System{Models: make([]simulation.Model, 1)}
	m := &s.Models[0]
	m.Queue, m.Gateway, m.Load.Concurrency = 2, -1, 1
	hop := func() {
		h := simulation.Hop{Bytes: 1000, Local: transfer == 0 && (len(m.Hops) == 0 || len(m.Hops) == len(stages))}
		if transfer > 0 {
			h.Uses = []simulation.Use{{Medium: len(s.Media), Seconds: transfer}}
			s.Media = append(s.Media, simulation.Medium{})
		}
		m.Hops = append(m.Hops, h)
	}
	for i, seconds := range stages {
		hop()
		s.Devices = append(s.Devices, simulation.Device{})
		m.Stages = append(m.Stages, simulation.Stage{Device: i, Seconds: seconds})
	}
	hop()
	if transfer > 0 {
		m.Gateway = len(s.Devices)
		s.Devices = append(s.Devices, simulation.Device{})
	}
	return s
}

func run(t testing.TB, s *simulation.System, o simulation.Options) *simulation.Result {
	t.Helper()
	r, err := simulation.Run(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %v, want %v within %v", what, got, want, share)
	}
}

// With one request at a time the latency is the sum of all parts, and the throughput its
// reciprocal; with many, the throughput is one per bottleneck (solver.Evaluate).
func TestDeterministicLine(t *testing.T) {
	for _, c := range []struct {
		name       string
		transfer   float64
		stages     []float64
		bottleneck float64
	}{
		{"one stage", 0, []float64{0.25}, 0.25},
		{"a stage in the middle", 0.5, []float64{1, 3, 2}, 3},
		{"the first stage", 0.5, []float64{3, 1, 2}, 3},
		{"the last stage", 0.5, []float64{1, 1, 1, 2}, 2},
		{"the links", 4, []float64{1, 3, 2}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := line(c.transfer, c.stages...)
			sum := 0.0
			for _, seconds := range c.stages {
				sum += seconds
			}
			if c.transfer > 0 {
				sum += c.transfer * float64(len(c.stages)+1)
			}
			alone := run(t, s, simulation.Options{Requests: 100}).Models[0]
			within(t, "latency", alone.Quantile(1), sum, 1e-9)
			within(t, "throughput", alone.Throughput, 1/sum, 1e-9)
			s.Models[0].Load.Concurrency = 50
			full := run(t, s, simulation.Options{Requests: 1000}).Models[0]
			within(t, "throughput", full.Throughput, 1/c.bottleneck, 1e-9)
			within(t, "latency", full.Quantile(0.5), 50*c.bottleneck, 1e-9)
		})
	}
}

// Mean waits of one engine under random arrivals follow Pollaczek and Khinchine:
// lambda E[S^2] / (2 (1 - rho)). Without jitter that is M/D/1.
func TestWaitsOfOneEngine(t *testing.T) {
	for _, jitter := range []float64{0, 0.5} {
		for _, rho := range []float64{0.3, 0.6, 0.8} {
			s := line(0, 0.01)
			m := &s.Models[0]
			m.Stages[0].Jitter = jitter
			m.Load = simulation.Load{Rate: rho / 0.01, Concurrency: 1 << 30}
			m.Queue = 1 << 20
			r := run(t, s, simulation.Options{Requests: 400_000, Seed: 1}).Models[0]
			want := rho * 0.01 * (1 + jitter*jitter) / (2 * (1 - rho))
			mean := 0.0
			for _, l := range r.Latencies {
				mean += l / float64(len(r.Latencies))
			}
			within(t, "mean wait", mean-r.Stages[0].ComputeSeconds, want, 0.04)
			within(t, "mean of an engine run", r.Stages[0].ComputeSeconds, 0.01, 0.005)
			within(t, "utilisation", r.Stages[0].Utilisation, rho, 0.01)
			within(t, "throughput", r.Throughput, m.Load.Rate, 0.01)
		}
	}
}

// Hops over one radio add up: it is the bottleneck although each transfer alone is short.
// Over links of their own they do not.
func TestSharedRadio(t *testing.T) {
	s := line(1, 0.5, 0.5, 0.5)
	s.Models[0].Load.Concurrency = 40
	apart := run(t, s, simulation.Options{Requests: 2000}).Models[0]
	within(t, "throughput over links", apart.Throughput, 1, 1e-9)
	for i := range s.Models[0].Hops {
		s.Models[0].Hops[i].Uses[0].Medium = 0
	}
	r := run(t, s, simulation.Options{Requests: 2000})
	within(t, "throughput over one radio", r.Models[0].Throughput, 0.25, 0.01)
	within(t, "utilisation of the radio", r.Media[0], 1, 1e-9)
}

// A transfer lasts as long as the slowest of link and interfaces, and each is busy for its
// own part.
func TestInterfaces(t *testing.T) {
	s := line(1, 0.1)
	s.Media = append(s.Media, simulation.Medium{})
	s.Models[0].Hops[0].Uses = append(s.Models[0].Hops[0].Uses, simulation.Use{Medium: 2, Seconds: 3})
	r := run(t, s, simulation.Options{Requests: 100})
	within(t, "latency", r.Models[0].Quantile(1), 3+0.1+1, 1e-9)
	within(t, "utilisation of the link", r.Media[0], 1/4.1, 1e-9)
	within(t, "utilisation of the interface", r.Media[2], 3/4.1, 1e-9)
}

// Two pipelines on one device share its processor: each gets half, and both together what
// one would.
func TestSharedDevice(t *testing.T) {
	s := line(0, 0.1)
	s.Models = append(s.Models, s.Models[0])
	s.Models[0].Load.Concurrency, s.Models[1].Load.Concurrency = 5, 5
	r := run(t, s, simulation.Options{Seconds: 1000})
	for i := range r.Models {
		within(t, "throughput", r.Models[i].Throughput, 5, 0.001)
		within(t, "time in the engine", r.Models[i].Stages[0].ComputeSeconds, 0.2, 0.001)
	}
	within(t, "utilisation", r.Devices[0], 1, 1e-9)
	s.Devices[0].Cores = 2
	within(t, "throughput on two cores", run(t, s, simulation.Options{Seconds: 1000}).Models[0].Throughput, 10, 0.001)
}

// Sending and receiving take the processor's time beside the engine.
func TestProcessorTimeOfMessages(t *testing.T) {
	s := line(0.01, 0.1)
	s.Devices[0].MessageSeconds, s.Devices[0].ByteSeconds = 0.02, 1e-5 // of 1000 bytes: 0.01
	within(t, "latency", run(t, s, simulation.Options{Requests: 100}).Models[0].Quantile(1), 0.01+0.03+0.1+0.03+0.01, 1e-9)
	s.Models[0].Load.Concurrency = 20
	within(t, "throughput", run(t, s, simulation.Options{Requests: 1000}).Models[0].Throughput, 1/0.16, 0.002)
}

// A device held to a share of a core works in bursts: what fits into the quota, and into what
// the kernel keeps of the one before, is done at full speed, and the rest waits for the next period.
func TestQuota(t *testing.T) {
	s := line(0, 0.005)
	s.Devices[0] = simulation.Device{PeriodSeconds: 0.01, QuotaSeconds: 0.002, TickSeconds: 0.0001}
	s.Models[0].Load.Concurrency = 4
	r := run(t, s, simulation.Options{Requests: 10_000})
	within(t, "throughput of a busy device", r.Models[0].Throughput, 40, 0.001)
	s.Models[0].Load = simulation.Load{Rate: 0.5, Even: true, Concurrency: 1}
	alone := run(t, s, simulation.Options{Requests: 100}).Models[0]
	within(t, "latency of a lone request", alone.Quantile(0.5), 0.012, 1e-6) // 3 ms and 2 ms in two periods
}

// A kernel that looks at its ticks only lets a short run end before it counts what was too
// much, and a long one gets its share all the same.
func TestTicks(t *testing.T) {
	s := line(0, 0.0045)
	s.Devices[0] = simulation.Device{PeriodSeconds: 0.01, QuotaSeconds: 0.002, TickSeconds: 0.004}
	s.Models[0].Load = simulation.Load{Rate: 0.99, Concurrency: 1}
	alone := run(t, s, simulation.Options{Requests: 1000}).Models[0]
	within(t, "latency of a run between two ticks", alone.Quantile(0.25), 0.0045, 1e-6)
	s.Models[0].Load = simulation.Load{Concurrency: 4}
	within(t, "throughput of a busy device", run(t, s, simulation.Options{Requests: 10_000}).Models[0].Throughput, 0.2/0.0045, 0.001)
	s.Models[0].Stages[0].Seconds = 1
	within(t, "throughput of long runs", run(t, s, simulation.Options{Requests: 100}).Models[0].Throughput, 0.2, 0.001)
}

// A processor with ticks does one thing at a time, and what is new waits for the next tick.
func TestTurnsAtTicks(t *testing.T) {
	s := line(0, 0.1)
	s.Devices[0].TickSeconds = 0.004
	s.Models[0].Load = simulation.Load{Rate: 1, Even: true, Concurrency: 1}
	short := line(0, 0.001).Models[0]
	short.Load = simulation.Load{Rate: 1 / 1.0501, Even: true, Concurrency: 1}
	s.Models = append(s.Models, short)
	r := run(t, s, simulation.Options{Seconds: 1.5})
	within(t, "latency of what waits for the tick at 1.052 s", r.Models[1].Quantile(1), 0.0029, 1e-6)
	within(t, "latency of what waits for it", r.Models[0].Quantile(1), 0.101, 1e-6)
}

// An engine that has more to do goes on until the tick, while its result waits to be sent.
func TestResultsWaitForTheProcessor(t *testing.T) {
	s := line(0, 0.010, 0.001)
	s.Devices[0].TickSeconds, s.Devices[0].MessageSeconds = 1, 0.001
	s.Models[0].Load.Concurrency = 3
	r := run(t, s, simulation.Options{Requests: 3})
	if diff := cmp.Diff([]float64{0.033, 0.034}, r.Models[0].Latencies, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("latencies of the second and the third request (-want +got):\n%s", diff)
	}
}

// A shaper lets through at once what fits into its bucket, and no more in the long run.
func TestBurst(t *testing.T) {
	s := line(0.03, 0.001)
	s.Media[0].BurstSeconds, s.Media[1].BurstSeconds = 0.02, 0.05
	s.Models[0].Load = simulation.Load{Rate: 10, Even: true, Concurrency: 10}
	within(t, "latency of a lone request", run(t, s, simulation.Options{Requests: 100}).Models[0].Quantile(1), 0.01+0.001, 1e-9)
	s.Models[0].Load = simulation.Load{Concurrency: 10}
	within(t, "throughput", run(t, s, simulation.Options{Requests: 10_000}).Models[0].Throughput, 1/0.03, 0.001)
}

// A far device gets no more than a window a round trip. Apart from that propagation delays
// and does not slow down.
func TestFarAway(t *testing.T) {
	s := line(0.01, 0.02)
	for i := range s.Models[0].Hops {
		s.Models[0].Hops[i].Bytes, s.Models[0].Hops[i].LatencySeconds = simulation.MinWindow/4, 1
	}
	s.Models[0].Load.Concurrency = 16
	within(t, "throughput", run(t, s, simulation.Options{Requests: 2000}).Models[0].Throughput, 2, 0.01)
}

func TestPropagation(t *testing.T) {
	s := line(0.01, 0.02)
	for i := range s.Models[0].Hops {
		s.Models[0].Hops[i].LatencySeconds = 1
	}
	within(t, "latency", run(t, s, simulation.Options{Requests: 100}).Models[0].Quantile(1), 2.04, 1e-9)
	s.Models[0].Load.Concurrency = 200
	s.Models[0].Queue = 20 // so that the gateway lets enough in
	within(t, "throughput", run(t, s, simulation.Options{Requests: 2000}).Models[0].Throughput, 86/2.04, 0.05)
}

// The same seed gives the same result, another one another.
func TestDeterministic(t *testing.T) {
	s := line(0.02, 0.03, 0.05, 0.04)
	s.Models[0].Load = simulation.Load{Rate: 15, Concurrency: 1000}
	for i := range s.Models[0].Stages {
		s.Models[0].Stages[i].Jitter = 0.3
	}
	s.Losses = []simulation.Loss{{Device: 1, AtSeconds: 20, Seconds: 10}}
	a, b := run(t, s, simulation.Options{Seconds: 100, Seed: 7}), run(t, s, simulation.Options{Seconds: 100, Seed: 7})
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("two runs of one seed differ:\n%s", diff)
	}
	if other := run(t, s, simulation.Options{Seconds: 100, Seed: 8}); cmp.Equal(a, other) {
		t.Error("another seed gives the same result")
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := simulation.Run(ctx, line(0, 1), simulation.Options{Requests: 1 << 40}); err != context.Canceled {
		t.Errorf("the error is %v, want %v", err, context.Canceled)
	}
}
