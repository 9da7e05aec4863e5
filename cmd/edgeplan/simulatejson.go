package main

import (
	"cmp"
	"slices"

	"github.com/edgeplan/edgeplan/internal/simulation"
)

// The JSON of `edgeplan simulate -json`; docs/simulate.md describes it. What bench prints has
// the same names here.
type (
	simulationJSON struct {
		FormatVersion  int             `json:"format_version"`
		Seed           uint64          `json:"seed"`
		Jitter         *float64        `json:"jitter,omitempty"` // as given for all times; absent without -jitter, see the stages then
		ElapsedSeconds float64         `json:"elapsed_seconds"`  // simulated
		Models         []simulatedJSON `json:"models"`
		Bottleneck     string          `json:"bottleneck"`
		Resources      []resourceLoad  `json:"resources"` // the busiest first
	}
	simulatedJSON struct {
		Model                string             `json:"model"`
		Concurrency          int                `json:"concurrency"`
		Rate                 float64            `json:"rate"`
		Answered             int                `json:"answered"`
		Failed               int                `json:"failed"`
		Retries              int                `json:"retries"`
		Throughput           float64            `json:"throughput_per_second"`
		Predicted            float64            `json:"predicted_throughput_per_second"`
		SimulatedOfPredicted *float64           `json:"simulated_over_predicted,omitempty"`
		PredictedBottleneck  string             `json:"predicted_bottleneck"`
		Latency              map[string]float64 `json:"latency_seconds"`
		Present              levelJSON          `json:"under_way"`
		Stages               []simulatedStage   `json:"stages"`
		Transfers            []simulatedHop     `json:"transfers"`
	}
	simulatedStage struct {
		stageLoad
		Jitter float64   `json:"jitter"` // as given or measured
		Queue  levelJSON `json:"queue"`
	}
	simulatedHop struct {
		From        string    `json:"from"`
		To          string    `json:"to"`
		Over        string    `json:"over"`
		Utilisation float64   `json:"utilisation"`
		Seconds     float64   `json:"seconds"`
		Queue       levelJSON `json:"queue"`
	}
	levelJSON struct {
		Mean float64 `json:"mean"`
		Most int     `json:"most"`
	}
	// resourceLoad is a device or a medium, and the share of the time that it was busy.
	resourceLoad struct {
		Name        string  `json:"name"`
		Utilisation float64 `json:"utilisation"`
	}
)

func newSimulationJSON(s *simulated, f *simulateFlags, r *simulation.Result) simulationJSON {
	out := simulationJSON{FormatVersion: observeFormat, Seed: f.seed, Jitter: f.jitter, ElapsedSeconds: r.Seconds,
		Bottleneck: s.busiest(r).Name, Resources: s.busy(r)}
	for i := range s.models {
		out.Models = append(out.Models, s.modelJSON(i, &r.Models[i]))
	}
	return out
}

func (s *simulated) modelJSON(i int, r *simulation.ModelResult) simulatedJSON {
	m, system := s.models[i], s.system.Models[i]
	out := simulatedJSON{
		Model: m.name, Concurrency: system.Load.Concurrency, Rate: system.Load.Rate, Answered: r.Answered, Failed: r.Failed, Retries: r.Retries,
		Throughput: r.Throughput, Predicted: m.predicted, PredictedBottleneck: m.bottleneck, Present: levelJSON(r.Present),
		Latency: map[string]float64{"p50": r.Quantile(0.5), "p90": r.Quantile(0.9), "p99": r.Quantile(0.99), "max": r.Quantile(1)},
		Stages:  []simulatedStage{}, Transfers: []simulatedHop{},
	}
	if s.comparable(i) {
		ratio := r.Throughput / m.predicted
		out.SimulatedOfPredicted = &ratio
	}
	for k, st := range r.Stages {
		out.Stages = append(out.Stages, simulatedStage{stageLoad{s.devices[system.Stages[k].Device], k, st.Utilisation, st.ComputeSeconds, st.WaitSeconds, st.SentBytes}, system.Stages[k].Jitter, levelJSON(st.Queue)})
	}
	for k, h := range m.hops {
		if h.over != "" {
			out.Transfers = append(out.Transfers, simulatedHop{h.from, h.to, h.over, r.Hops[k].Utilisation, r.Hops[k].TransferSeconds, levelJSON(r.Hops[k].Queue)})
		}
	}
	return out
}

// busy are all devices and media, the busiest first.
func (s *simulated) busy(r *simulation.Result) []resourceLoad {
	all := []resourceLoad{}
	for v, name := range s.resources {
		all = append(all, resourceLoad{name, r.Devices[v]})
	}
	for i, name := range s.media {
		all = append(all, resourceLoad{name, r.Media[i]})
	}
	slices.SortStableFunc(all, func(a, b resourceLoad) int { return cmp.Compare(b.Utilisation, a.Utilisation) })
	return all
}

func (s *simulated) busiest(r *simulation.Result) resourceLoad { return s.busy(r)[0] }
