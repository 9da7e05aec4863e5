package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

func gaugeOf(value float64) *dto.MetricFamily {
	return &dto.MetricFamily{Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(value)}}}}
}

// docs/status-json.md lists every field of a status, and no other.
func TestStatusJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/status-json.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, strings.Split(strings.Trim(row[1], "`"), "`, `")...)
	}
	fields := fieldsOf(reflect.TypeFor[pipelineStatus](), "")
	slices.Sort(documented)
	slices.Sort(fields)
	if diff := cmp.Diff(fields, documented); diff != "" {
		t.Errorf("docs/status-json.md and the status differ (-status +page):\n%s", diff)
	}
}

// How long a worker is up is its own word where it has one: clocks differ, and jump. What it
// computes stands beside what the prediction leaves it.
func TestStatusOfAJumpingClock(t *testing.T) {
	for _, test := range []struct {
		name    string
		metrics workerMetrics
		want    string
	}{
		{"by both", workerMetrics{"edgeplan_worker_uptime_seconds": gaugeOf(90), "edgeplan_worker_start_time_seconds": gaugeOf(1)}, "1m30s"},
		{"in the future", workerMetrics{"edgeplan_worker_start_time_seconds": gaugeOf(1e11)}, "0s"},
	} {
		w := workerStatus{Node: "node.a", Stages: []int{0}, Ready: true}
		w.fill(test.metrics)
		w.ComputeSeconds = 0.0023
		row := w.row(0.02)
		if row[2] != test.want || row[5] != "2.3 ms of 20 ms" {
			t.Errorf("%s: up %q, compute %q", test.name, row[2], row[5])
		}
	}
}

// A pipeline that has run for long still tells whole numbers.
func TestStatusOfManyRequests(t *testing.T) {
	row := workerStatus{Node: "node.a", Stages: []int{0}, Ready: true, Requests: 12345678, Failures: 1e6}.row(0)
	if row[3] != "12345678" || row[4] != "1000000" {
		t.Errorf("%q requests, %q failed", row[3], row[4])
	}
}
