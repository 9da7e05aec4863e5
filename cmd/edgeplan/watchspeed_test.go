package main

import (
	"fmt"
	"testing"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// stageText is what a worker's metrics say of its engine.
func stageText(sum, count float64) []byte {
	return fmt.Appendf(nil, "# TYPE edgeplan_stage_compute_seconds histogram\nedgeplan_stage_compute_seconds_bucket{le=\"+Inf\"} %v\n"+
		"edgeplan_stage_compute_seconds_sum %v\nedgeplan_stage_compute_seconds_count %v\n", count, sum, count)
}

// A stage is slow when it holds its pipeline below the share, by what its engine took
// since the last time; no requests, a worker started anew and one that does not answer tell nothing.
func TestSpeeds(t *testing.T) {
	state := &statefile.State{Models: map[string]statefile.Model{"m": {Release: "r1", Gateway: "a",
		Slices: []statefile.Slice{{Node: "a"}, {Node: "b"}}, Prediction: statefile.Prediction{ThroughputPerSecond: 100}}}}
	s := speeds{}
	steps := []struct {
		what string
		b    deployer.WorkerReport
		want stagePace
	}{
		{"the first look", deployer.WorkerReport{Metrics: stageText(1, 100)}, stagePace{}},
		{"as predicted", deployer.WorkerReport{Metrics: stageText(2, 200)}, stagePace{measured: true}},
		{"no requests", deployer.WorkerReport{Metrics: stageText(2, 200)}, stagePace{}},
		{"a little slower", deployer.WorkerReport{Metrics: stageText(3.3, 300)}, stagePace{measured: true}},
		{"half as fast", deployer.WorkerReport{Metrics: stageText(5.3, 400)}, stagePace{measured: true, slow: true}},
		{"started anew", deployer.WorkerReport{Metrics: stageText(0.1, 1)}, stagePace{}},
		{"does not answer", deployer.WorkerReport{Err: fmt.Errorf("gone")}, stagePace{}},
	}
	for _, step := range steps {
		got := s.measure(state, map[string]deployer.Health{"b": {Workers: map[string]deployer.WorkerReport{"m": step.b}}}, 0.7)
		if got["b"] != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got["b"], step.want)
		}
	}
	v := s["m"]
	testSlowestIsGone(t, s, state)
	v.reaches["b"] = 50
	s.left([]string{"b"})
	state.Models["m"] = statefile.Model{Release: "r2", Gateway: "a", Slices: state.Models["m"].Slices}
	for reached, helped := range map[float64]bool{40: false, 50: false, 55: true} {
		s.measure(state, nil, 0.7)
		s["m"].reaches["a"] = reached
		made := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: 1000}}}
		if err := s.worthwhile(made, []string{"a"}); (err == nil) != helped {
			t.Errorf("%v reached after 50: %v", reached, err)
		}
	}
	v.before, s["m"] = 0, v
	for throughput, better := range map[float64]bool{60: true, 50: false, 40: false} {
		made := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: throughput}}}
		if err := s.worthwhile(made, []string{"b"}); (err == nil) != better {
			t.Errorf("a plan for %v instead of 50: %v", throughput, err)
		}
		if err := s.worthwhile(made, []string{"c"}); err != nil {
			t.Errorf("a plan without a device that is gone: %v", err)
		}
	}
}

// The slowest stage's device is slow while it answers, and gone when it does not: then a
// plan without it is worthwhile although it predicts less.
func testSlowestIsGone(t *testing.T, s speeds, state *statefile.State) {
	t.Helper()
	worse := &plan.Plan{Models: []plan.Model{{Name: "m", ThroughputPerSecond: 1}}}
	report := func(text []byte) deployer.Health {
		return deployer.Health{Workers: map[string]deployer.WorkerReport{"m": {Metrics: text}}}
	}
	for _, text := range [][]byte{stageText(1, 100), stageText(3, 200)} {
		s.measure(state, map[string]deployer.Health{"b": report(text)}, 0.7)
	}
	if s.worthwhile(worse, []string{"b"}) == nil {
		t.Error("a plan that predicts less is made without a device that is only slow")
	}
	s.measure(state, map[string]deployer.Health{"b": {Err: fmt.Errorf("no route to host")}}, 0.7)
	if err := s.worthwhile(worse, []string{"b"}); err != nil {
		t.Errorf("the slowest device is gone, and no plan is made without it: %v", err)
	}
}
