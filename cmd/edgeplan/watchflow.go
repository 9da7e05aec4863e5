package main

import (
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// When a pipeline counts as loaded, so that what it answers is what it can.
const (
	// workingShare is the share of time for which an engine works, or a connection takes data.
	workingShare = 0.8
	// fullTimes is how many times as many requests are under way as would keep the
	// slowest part of the pipeline busy (its throughput times its latency, by Little's law).
	fullTimes = 2
	// leastAnswers are to be expected before what was answered is judged.
	leastAnswers = 20
)

// flow is what the workers of a pipeline had counted at a time.
type flow struct {
	at       time.Time
	answered float64            // requests, rightly
	seconds  float64            // from entry to answer, of all requests
	inside   float64            // requests without an answer
	busy     map[string]float64 // seconds, of engines and of connections
}

// flowOf reads the metrics of a pipeline's workers; false where its gateway tells nothing.
func flowOf(name string, m *statefile.Model, answers map[string]deployer.Health, now time.Time) (f flow, ok bool) {
	f = flow{at: now, busy: map[string]float64{}}
	for _, node := range plan.ReleaseNodes(m) {
		report, asked := answers[node].Workers[name]
		metrics, err := parseMetrics(report.Metrics)
		if !asked || report.Err != nil || err != nil {
			continue
		}
		if node == m.Gateway {
			ok = true
			f.answered, _ = metrics.labelled("edgeplan_gateway_requests_total", "code", "OK")
			f.seconds, _ = metrics.histogram("edgeplan_gateway_request_seconds")
			f.inside = metrics.value("edgeplan_gateway_requests_in_flight")
		}
		f.busy[node], _ = metrics.histogram("edgeplan_stage_compute_seconds")
		for _, metric := range metrics["edgeplan_transfer_seconds"].GetMetric() {
			f.busy[node+" to "+labelOf(metric, "peer")] = metric.GetHistogram().GetSampleSum()
		}
	}
	return f, ok
}

// labelled is the sum of counters with a label's value.
func (m workerMetrics) labelled(name, label, value string) (sum float64, found bool) {
	for _, metric := range m[name].GetMetric() {
		if labelOf(metric, label) == value {
			sum, found = sum+metric.GetCounter().GetValue(), true
		}
	}
	return sum, found
}

func labelOf(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// flows takes in what pipelines answer, and says which are slow for no stage's sake: where
// one is, its device is. Each window counts once, in the round that ends it.
func (s speeds) flows(state *statefile.State, answers map[string]deployer.Health, stages map[string]stagePace, least float64, now time.Time) map[string]watching.Pace {
	paces := map[string]watching.Pace{}
	for name, m := range state.Models {
		v := s.of(name, m)
		f, ok := flowOf(name, &m, answers, now)
		v.excused = v.excused || slices.ContainsFunc(m.Slices, func(slice statefile.Slice) bool { return stages[slice.Node].slow })
		var judged watching.Pace
		switch {
		case !ok: // the gateway does not answer
			v.begin(flow{})
		case v.flow.at.IsZero() || f.answered < v.flow.answered || f.seconds < v.flow.seconds: // or was started again
			v.begin(f)
		case now.Sub(v.flow.at).Seconds()*v.predicted >= leastAnswers:
			excused := v.excused
			v.judge(f, least)
			if !excused {
				judged = v.pace
			}
		}
		paces[name] = judged
	}
	return paces
}

// judge compares what was answered since the last time with the prediction.
func (v *speed) judge(f flow, least float64) {
	window := f.at.Sub(v.flow.at)
	answers, loaded := (f.answered-v.flow.answered)/window.Seconds(), v.loaded(f)
	v.begin(f)
	if loaded {
		v.answers = answers
		v.pace = watching.Pace{Measured: true, Slow: answers < least*v.predicted, Window: window}
	}
}

// begin begins a window.
func (v *speed) begin(f flow) { v.flow, v.excused, v.pace, v.answers = f, false, watching.Pace{}, 0 }

// acted begins all windows anew: what was answered beside a measurement or an apply says
// nothing of the pipeline by itself.
func (s speeds) acted() {
	for _, v := range s {
		v.begin(flow{})
	}
}

// loaded says whether there were so many requests that more would not be answered sooner.
func (v *speed) loaded(f flow) bool {
	wall := f.at.Sub(v.flow.at).Seconds()
	underWay := max((f.seconds-v.flow.seconds)/wall, min(f.inside, v.flow.inside))
	if underWay >= fullTimes*max(1, v.predicted*v.latency) {
		return true
	}
	for what, seconds := range f.busy {
		if before, known := v.flow.busy[what]; known && seconds-before >= workingShare*wall {
			return true
		}
	}
	return false
}
