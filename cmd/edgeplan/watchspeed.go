package main

import (
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// speeds remembers what each stage had counted when its worker was last asked, and what
// its pipeline can reach by what was measured since, by model.
type speeds map[string]*speed

// speed is of one model.
type speed struct {
	release   string
	predicted float64            // inferences per second
	latency   float64            // predicted, in seconds
	sums      map[string]float64 // seconds in the engine, by node
	counts    map[string]float64 // requests, by node
	reaches   map[string]float64 // inferences per second that a node's stage can do
	// before is what the pipeline reached when a slow device was last left out; 0 where
	// none was. Where that has not helped, the predictions are wrong, and not the devices.
	before float64

	flow    flow          // what was counted when pace was last judged
	excused bool          // whether a stage was slow since
	pace    watching.Pace // of the whole pipeline
	answers float64       // inferences per second that it gave under load; 0 where that was not measured
}

// of gives the speed of a model, begun anew with every release.
func (s speeds) of(name string, m statefile.Model) *speed {
	last := s[name]
	if last != nil && last.release == m.Release {
		return last
	}
	s[name] = &speed{release: m.Release, predicted: m.Prediction.ThroughputPerSecond, latency: m.Prediction.LatencySeconds,
		sums: map[string]float64{}, counts: map[string]float64{}, reaches: map[string]float64{}}
	if last != nil {
		s[name].before = last.before
	}
	return s[name]
}

// stagePace says of a stage whether it was measured since the last time, and was too slow.
type stagePace struct{ measured, slow bool }

// measure takes in metrics of workers. A stage that takes longer than the pipeline's time
// between two inferences bounds it, however few requests there are; least is the share of
// the prediction below which that is slow. Of several slow stages the slowest counts: the
// others do not hold the pipeline back.
func (s speeds) measure(state *statefile.State, answers map[string]deployer.Health, least float64) map[string]stagePace {
	found := map[string]stagePace{}
	for name, m := range state.Models {
		v := s.of(name, m)
		for _, slice := range m.Slices {
			report, asked := answers[slice.Node].Workers[name]
			metrics, err := parseMetrics(report.Metrics)
			if !asked || report.Err != nil || err != nil {
				// What it reached before says nothing of a device that is gone.
				delete(v.reaches, slice.Node)
				delete(v.counts, slice.Node)
				continue
			}
			sum, count := metrics.histogram("edgeplan_stage_compute_seconds")
			found[slice.Node] = v.add(slice.Node, sum, count, least, found[slice.Node])
		}
		for _, slice := range m.Slices {
			if p := found[slice.Node]; p.slow && v.reaches[slice.Node] > v.reached() {
				found[slice.Node] = stagePace{measured: true}
			}
		}
	}
	return found
}

// add takes in one stage's counters; other is what another model's stage on the node told.
func (v *speed) add(node string, sum, count, least float64, other stagePace) stagePace {
	last, known := v.counts[node]
	seconds := sum - v.sums[node]
	v.sums[node], v.counts[node] = sum, count
	if !known || count <= last || seconds <= 0 {
		return other // no requests, or the worker was started again
	}
	v.reaches[node] = (count - last) / seconds
	return stagePace{true, other.slow || v.reaches[node] < least*v.predicted}
}

// reached is what a pipeline can do by its slowest stage; 0 when that was not measured.
func (v *speed) reached() float64 {
	var least float64
	for _, r := range v.reaches {
		if least == 0 || r < least {
			least = r
		}
	}
	return least
}

// ratio is what the pipeline answers under load, or could by its slowest stage, over the
// prediction; 0 when that was not measured.
func (v *speed) ratio() float64 {
	least := v.reached()
	if v.answers > 0 && (least == 0 || v.answers < least) {
		least = v.answers
	}
	if v.predicted <= 0 {
		return 0
	}
	return least / v.predicted
}

// explained takes in what is predicted of what is deployed with new measurements.
func (s speeds) explained(made *plan.Plan) {
	for _, m := range made.Models {
		if v := s[m.Name]; v != nil {
			v.predicted, v.latency = m.ThroughputPerSecond, m.LatencySeconds
		}
	}
}

// bounds says whether one of some devices answers and holds the pipeline back: it leaves
// because it is slow.
func (v *speed) bounds(nodes []string) bool {
	return slices.ContainsFunc(nodes, func(node string) bool { return v.reaches[node] > 0 && v.reaches[node] == v.reached() })
}

// worthwhile refuses a plan without devices that are only slow where what it predicts is
// no better than what they reach, and where the last such plan has not helped.
func (s speeds) worthwhile(made *plan.Plan, leave []string) error {
	for _, m := range made.Models {
		v := s[m.Name]
		if v == nil || !v.bounds(leave) {
			continue
		}
		now := quantity.FormatNumber(v.reached())
		switch {
		case v.before > 0 && v.reached() <= v.before:
			return fmt.Errorf("model.%s reaches %s inferences/s, and reached %s before a slow device was last left out: it is the prediction that is wrong; `edgeplan probe` measures the devices",
				m.Name, now, quantity.FormatNumber(v.before))
		case m.ThroughputPerSecond <= v.reached():
			return fmt.Errorf("model.%s would reach %s inferences/s without it, and reaches %s now", m.Name, quantity.FormatNumber(m.ThroughputPerSecond), now)
		}
	}
	return nil
}

// left remembers what was reached with slow devices that a plan has left out.
func (s speeds) left(leave []string) {
	for _, v := range s {
		if v.bounds(leave) {
			v.before = v.reached()
		}
	}
}
