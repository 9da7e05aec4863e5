package simulation_test

import (
	"slices"
	"testing"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// A stage that is away for longer than requests are tried fails them, one that is back
// before that only delays them.
func TestLossOfAStage(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds float64
		failed  bool
	}{
		{"a reboot", 20, false},
		{"an hour", 3600, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := line(0.01, 0.02, 0.05, 0.02)
			s.Models[0].Load.Concurrency = 8
			s.Models[0].TimeoutSeconds = 60
			s.Losses = []simulation.Loss{{Device: 1, AtSeconds: 1000, Seconds: c.seconds}}
			r := run(t, s, simulation.Options{Seconds: 9000}).Models[0]
			if (r.Failed > 0) != c.failed {
				t.Errorf("%d requests failed", r.Failed)
			}
			want := (8100 - c.seconds) * 20
			within(t, "answers", float64(r.Answered), want, 0.001)
			if longest := r.Quantile(1); !c.failed && (longest < c.seconds || longest > c.seconds+2) {
				t.Errorf("the longest latency is %v", longest)
			}
		})
	}
}

// While the gateway is away its requests fail, an open loop's too; a closed loop waits.
func TestLossOfTheGateway(t *testing.T) {
	s := line(0.01, 0.02, 0.05)
	s.Losses = []simulation.Loss{{Device: 2, AtSeconds: 500, Seconds: 100}}
	s.Models[0].Load.Concurrency = 6
	closed := run(t, s, simulation.Options{Seconds: 1000}).Models[0]
	if closed.Failed != 6 {
		t.Errorf("%d requests failed, want those that were at the gateway", closed.Failed)
	}
	within(t, "answers", float64(closed.Answered), 800*20, 0.001)
	s.Models[0].Load = simulation.Load{Rate: 2, Even: true, Concurrency: 100}
	open := run(t, s, simulation.Options{Seconds: 1000}).Models[0]
	within(t, "failures", float64(open.Failed), 200, 0.02)
	within(t, "answers", float64(open.Answered), 1600, 0.005)
	// Overloaded, so that clients wait as well.
	s.Models[0].Load = simulation.Load{Rate: 40, Even: true, Concurrency: 10}
	over := run(t, s, simulation.Options{Seconds: 1000}).Models[0]
	within(t, "answers", float64(over.Answered), 800*20, 0.002)
	within(t, "failures", float64(over.Failed), 500*20+100*40, 0.01)
}

// A requests's time bounds its latency, whatever the load.
func TestDeadlines(t *testing.T) {
	s := line(0, 0.1)
	s.Models[0].TimeoutSeconds = 2
	s.Models[0].Load = simulation.Load{Rate: 20, Concurrency: 1000}
	r := run(t, s, simulation.Options{Seconds: 500}).Models[0]
	if r.Failed == 0 || r.Quantile(1) > 2+simulation.MarginSeconds {
		t.Errorf("%d failed at twice the load, and the longest latency is %v", r.Failed, r.Quantile(1))
	}
	within(t, "answers", float64(r.Answered), 4500, 0.02)
}

// Backpressure: before a slow stage everything is full, up to what a gateway lets in.
func TestBackpressure(t *testing.T) {
	s := line(0.001, 0.001, 0.001, 0.1)
	s.Models[0].Load.Concurrency = 200
	for i := range s.Models[0].Hops {
		s.Models[0].Hops[i].Bytes = 16 << 20 // nothing waits in a stream
	}
	r := run(t, s, simulation.Options{Requests: 2000}).Models[0]
	for i, st := range r.Stages {
		if st.Queue.Most != 2 || st.Queue.Mean < 1.9 {
			t.Errorf("the queue of stage %d is %+v, want it full", i, st.Queue)
		}
		if r.Hops[i].Queue.Most != 2 || r.Hops[i].Queue.Mean < 1.9 {
			t.Errorf("the queue of hop %d is %+v, want it full", i, r.Hops[i].Queue)
		}
	}
	if after := r.Hops[3].Queue; after.Most != 0 {
		t.Errorf("behind the slow stage the queue is %+v, want it empty", after)
	}
}

func TestBadSystems(t *testing.T) {
	for name, spoil := range map[string]func(*simulation.System, *simulation.Options){
		"no end":         func(_ *simulation.System, o *simulation.Options) { o.Requests = 0 },
		"no model":       func(s *simulation.System, _ *simulation.Options) { s.Models = nil },
		"no stage":       func(s *simulation.System, _ *simulation.Options) { s.Models[0].Stages = nil },
		"too few hops":   func(s *simulation.System, _ *simulation.Options) { s.Models[0].Hops = s.Models[0].Hops[1:] },
		"no queue":       func(s *simulation.System, _ *simulation.Options) { s.Models[0].Queue = 0 },
		"no device":      func(s *simulation.System, _ *simulation.Options) { s.Models[0].Stages[0].Device = 9 },
		"no medium":      func(s *simulation.System, _ *simulation.Options) { s.Models[0].Hops[0].Uses[0].Medium = 9 },
		"no load":        func(s *simulation.System, _ *simulation.Options) { s.Models[0].Load.Concurrency = 0 },
		"negative time":  func(s *simulation.System, _ *simulation.Options) { s.Models[0].Stages[0].Seconds = -1 },
		"negative bytes": func(s *simulation.System, _ *simulation.Options) { s.Models[0].Hops[0].Bytes = -1 },
		"local between stages": func(s *simulation.System, _ *simulation.Options) {
			s.Models[0].Hops[1].Local = true
		},
		"no time": func(s *simulation.System, _ *simulation.Options) {
			s.Models[0].Stages[0].Seconds, s.Models[0].Stages[1].Seconds = 0, 0
			for i := range s.Models[0].Hops {
				s.Models[0].Hops[i].Uses = nil
			}
		},
		"lost twice": func(s *simulation.System, _ *simulation.Options) {
			s.Losses = slices.Repeat([]simulation.Loss{{AtSeconds: 1, Seconds: 2}}, 2)
		},
		"quota without ticks": func(s *simulation.System, _ *simulation.Options) {
			s.Devices[0].QuotaSeconds, s.Devices[0].PeriodSeconds = 1, 2
		},
		"ticks of two cores": func(s *simulation.System, _ *simulation.Options) {
			s.Devices[0].TickSeconds, s.Devices[0].Cores = 1, 2
		},
		"quota without a period": func(s *simulation.System, _ *simulation.Options) { s.Devices[0].QuotaSeconds = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s, o := line(0.1, 0.1, 0.1), simulation.Options{Requests: 10}
			spoil(s, &o)
			if _, err := simulation.Run(t.Context(), s, o); err == nil {
				t.Error("there is no error")
			}
		})
	}
}
