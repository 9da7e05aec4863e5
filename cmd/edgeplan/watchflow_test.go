package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/watching"
	"github.com/edgeplan/edgeplan/statefile"
)

// gatewayCounts is what the worker of a gateway counts.
type gatewayCounts struct{ right, failed, seconds, inside, sending float64 }

func (c gatewayCounts) report() deployer.WorkerReport {
	text := fmt.Appendf(nil, "# TYPE edgeplan_gateway_requests_total counter\nedgeplan_gateway_requests_total{code=\"OK\"} %v\nedgeplan_gateway_requests_total{code=\"DeadlineExceeded\"} %v\n"+
		"# TYPE edgeplan_gateway_request_seconds histogram\nedgeplan_gateway_request_seconds_bucket{le=\"+Inf\"} %v\nedgeplan_gateway_request_seconds_sum %v\nedgeplan_gateway_request_seconds_count %v\n"+
		"# TYPE edgeplan_gateway_requests_in_flight gauge\nedgeplan_gateway_requests_in_flight %v\n"+
		"# TYPE edgeplan_transfer_seconds histogram\nedgeplan_transfer_seconds_bucket{peer=\"b\",le=\"+Inf\"} 1\nedgeplan_transfer_seconds_sum{peer=\"b\"} %v\nedgeplan_transfer_seconds_count{peer=\"b\"} 1\n",
		c.right, c.failed, c.right+c.failed, c.seconds, c.right+c.failed, c.inside, c.sending)
	return deployer.WorkerReport{Metrics: text}
}

// A pipeline is slow when it answers less than the share although there are requests enough:
// many are under way, or a connection takes data all the time. What is predicted here is 100
// inferences/s and a latency of 20 ms, so that two requests keep it busy.
func TestFlows(t *testing.T) {
	state := &statefile.State{Models: map[string]statefile.Model{"m": {Release: "r1", Gateway: "a", Slices: []statefile.Slice{{Node: "b"}},
		Prediction: statefile.Prediction{ThroughputPerSecond: 100, LatencySeconds: 0.02}}}}
	few, well := watching.Pace{}, watching.Pace{Measured: true, Window: time.Second}
	slow := watching.Pace{Slow: true, Measured: true, Window: time.Second}
	gone := deployer.WorkerReport{Err: fmt.Errorf("gone")}
	steps := []struct {
		what   string
		report deployer.WorkerReport
		stage  stagePace
		want   watching.Pace
	}{
		{"the first look", gatewayCounts{right: 1000, seconds: 100}.report(), stagePace{}, few},
		{"few requests", gatewayCounts{right: 1050, seconds: 101}.report(), stagePace{}, few},
		{"few that wait long", gatewayCounts{right: 1060, seconds: 104}.report(), stagePace{}, few},
		{"many, as predicted", gatewayCounts{right: 1160, seconds: 109}.report(), stagePace{}, well},
		{"many, a little slower", gatewayCounts{right: 1240, seconds: 114}.report(), stagePace{}, well},
		{"many, half as fast", gatewayCounts{right: 1290, seconds: 119}.report(), stagePace{}, slow},
		{"the same, by a slow stage", gatewayCounts{right: 1340, seconds: 124}.report(), stagePace{measured: true, slow: true}, few},
		{"a connection is full", gatewayCounts{right: 1380, seconds: 125, sending: 0.9}.report(), stagePace{}, slow},
		{"none are answered in time", gatewayCounts{right: 1380, failed: 1, seconds: 129.5, sending: 0.9}.report(), stagePace{}, slow},
		{"none are answered at all", gatewayCounts{right: 1380, failed: 1, seconds: 129.5, inside: 8, sending: 0.9}.report(), stagePace{}, few},
		{"none are answered still", gatewayCounts{right: 1380, failed: 1, seconds: 129.5, inside: 8, sending: 0.9}.report(), stagePace{}, slow},
		{"the gateway does not answer", gone, stagePace{}, few},
		{"it answers again", gatewayCounts{right: 1390, failed: 1, seconds: 150}.report(), stagePace{}, few},
		{"it was started anew", gatewayCounts{right: 10, seconds: 1}.report(), stagePace{}, few},
		{"many, half as fast again", gatewayCounts{right: 60, seconds: 6}.report(), stagePace{}, slow},
	}
	s, now := speeds{}, time.Unix(0, 0)
	for _, step := range steps {
		now = now.Add(time.Second)
		answers := map[string]deployer.Health{"a": {Workers: map[string]deployer.WorkerReport{"m": step.report}}}
		if got := s.flows(state, answers, map[string]stagePace{"b": step.stage}, 0.7, now)["m"]; got != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
	}
	v := s["m"]
	if v.answers != 50 || v.ratio() != 0.5 {
		t.Errorf("it answers %v/s, ratio %v", v.answers, v.ratio())
	}
	now = now.Add(leastAnswers * time.Second / 200)
	again := map[string]deployer.Health{"a": {Workers: map[string]deployer.WorkerReport{"m": gatewayCounts{right: 80, seconds: 8}.report()}}}
	if got := s.flows(state, again, nil, 0.7, now)["m"]; got != few || v.pace != slow {
		t.Errorf("after too short a time %+v counts, and %+v is known", got, v.pace)
	}
	if s.acted(); v.flow.at != (time.Time{}) || v.pace != few {
		t.Errorf("after an action the window goes on: %+v", v)
	}
}

// A pipeline of 0.05 inferences/s is judged every 400 s: one slow window does not measure its
// links, although it is longer than the patience; the next does. A stage that was slow at
// any time of a window excuses all of it.
func TestLongWindowCountsOnce(t *testing.T) {
	const every, window = 5 * time.Second, 400 * time.Second
	state := &statefile.State{Models: map[string]statefile.Model{"m": {Release: "r1", Gateway: "a", Slices: []statefile.Slice{{Node: "b"}},
		Prediction: statefile.Prediction{ThroughputPerSecond: 0.05, LatencySeconds: 40}}}}
	tests := map[string]struct {
		slow    func(at time.Duration) bool // answers half of what is predicted
		stage   func(at time.Duration) bool // has a slow stage
		measure time.Duration               // when; 0 is never
	}{
		"one slow window": {slow: func(at time.Duration) bool { return at <= window }},
		"two":             {slow: func(at time.Duration) bool { return at <= 2*window }, measure: 2 * window},
		"a slow stage in the second": {slow: func(at time.Duration) bool { return at <= 3*window },
			stage: func(at time.Duration) bool { return at == window+window/2 }, measure: 3 * window},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			machine := watching.New(watching.Settings{Grace: time.Minute, Slow: time.Minute, Gap: 15 * time.Second, Again: time.Hour})
			s, counts, measured := speeds{}, gatewayCounts{inside: 8}, time.Duration(0)
			for at := time.Duration(0); at <= 4*window && measured == 0; at += every {
				answers := map[string]deployer.Health{"a": {Workers: map[string]deployer.WorkerReport{"m": counts.report()}}}
				stages := map[string]stagePace{"b": {slow: test.stage != nil && test.stage(at)}}
				machine.Observe(at, nil, s.flows(state, answers, stages, 0.7, time.Unix(0, 0).Add(at)))
				if d, ok := machine.Next(at); ok {
					measured = at
					t.Logf("%s: %+v", at, d)
				}
				counts.right += 0.05 * every.Seconds()
				if test.slow(at + every) {
					counts.right -= 0.025 * every.Seconds()
				}
			}
			if measured != test.measure {
				t.Errorf("measured at %s, want %s", measured, test.measure)
			}
		})
	}
}
