// Package measurement holds what was measured of a cluster and of models on it, and
// the file that keeps it in git beside the configuration: sorted, one line a value, so
// that a diff says what changed.
package measurement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// FileName is the file's name in the configuration folder. It is no configuration,
// although it ends like one.
const FileName = "measurements.edgeplan.json"

// FormatVersion is the version of the file that this version writes.
const FormatVersion = 1

// Measurements are the content of the file.
type Measurements struct {
	FormatVersion int       `json:"format_version"`
	Nodes         []Node    `json:"nodes"`    // in order of address, each once
	Links         []Link    `json:"links"`    // in order of from and to, each direction once
	Profiles      []Profile `json:"profiles"` // in order of node, model, digest, dimensions, optimization, threads, first and last segment
}

// Node is what a device is and has.
type Node struct {
	Node         string `json:"node"`         // address, as node.pi["hall"]
	Architecture string `json:"architecture"` // linux/amd64, linux/arm64, linux/arm
	Cores        int    `json:"cores"`        // processors that a process may use
	// MemoryBytes is what edgeplan may use: what was available, or the limit of the
	// control group where that is less.
	MemoryBytes      int64 `json:"memory_bytes"`
	MemoryTotalBytes int64 `json:"memory_total_bytes"`
	// MemoryLimitBytes is the control group's limit; 0 is none.
	MemoryLimitBytes int64 `json:"memory_limit_bytes,omitempty"`
	DiskFreeBytes    int64 `json:"disk_free_bytes"`
	// ComputeFLOPPerSecond is sustained by the engine on the models measured here, one
	// thread or as many as the models say; 0 where no model was measured.
	ComputeFLOPPerSecond float64 `json:"compute_flop_per_second,omitempty"`
	// CPUSecondsPerByte is what one byte sent or received over TLS costs a processor.
	CPUSecondsPerByte float64 `json:"cpu_seconds_per_byte,omitempty"`
	// CPUSecondsPerRequest is what a request costs the processor of a worker beside the
	// engine and its bytes.
	CPUSecondsPerRequest float64 `json:"cpu_seconds_per_request,omitempty"`
	// EngineBaseBytes is resident memory of a worker with the engine loaded and a session
	// of next to no weights open; 0 where it was not measured.
	EngineBaseBytes int64 `json:"engine_base_bytes,omitempty"`
	// EngineLoadSeconds is from start of a worker to a session that is ready.
	EngineLoadSeconds float64 `json:"engine_load_seconds,omitempty"`
	// ClockOffsetSeconds is the device's clock minus the operator's.
	ClockOffsetSeconds float64   `json:"clock_offset_seconds"`
	MeasuredAt         time.Time `json:"measured_at"` // UTC, whole seconds, by the operator's clock
}

// Link is one direction of a pair of nodes.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
	// BandwidthBytesPerSecond is TCP goodput; 0 where the one did not reach the other.
	BandwidthBytesPerSecond float64 `json:"bandwidth_bytes_per_second"`
	RoundTripSeconds        float64 `json:"round_trip_seconds"` // of an empty line, the median
	// Spread is half of the 95 % confidence interval of the bandwidth as a share of it.
	Spread     float64   `json:"spread"`
	MeasuredAt time.Time `json:"measured_at"`
}

// Profile is the time of one range of a model's segments on one node.
type Profile struct {
	Node  string `json:"node"`
	Model string `json:"model"` // name, as resnet50
	// Digest is the sha256 of the model file; a profile of another file does not count.
	Digest string `json:"digest"`
	// Dimensions are the sizes that the configuration gave the model's symbolic dimensions,
	// as BoundDimensions writes them; a profile of others does not count.
	Dimensions   string `json:"dimensions,omitempty"`
	Optimization string `json:"optimization"`
	Threads      int    `json:"threads"`
	FirstSegment int    `json:"first_segment"`
	LastSegment  int    `json:"last_segment"` // included
	// Seconds of one inference of the range by the engine: the mean, as that is what a
	// throughput is made of.
	Seconds float64 `json:"seconds"`
	Spread  float64 `json:"spread"` // half of the 95 % confidence interval as a share of Seconds
	// Passes is how many times the range was run, apart from each other; 0 is once, by an earlier
	// version.
	Passes int `json:"passes,omitempty"`
	// Deviation is the standard deviation of single inferences as a share of Seconds; 0 where it
	// was not measured.
	Deviation float64 `json:"deviation,omitempty"`
	// PeakMemoryBytes is resident memory of a worker that runs the range, at its highest;
	// 0 where it was not measured.
	PeakMemoryBytes int64 `json:"peak_memory_bytes,omitempty"`
	// ServingCPUSeconds are the processor time of a request at a worker that runs the range as a
	// stage, messages and all; 0 where it was not measured.
	ServingCPUSeconds float64 `json:"serving_cpu_seconds,omitempty"`
	// ServingPeakMemoryBytes is resident memory of that worker at its highest, with its queues;
	// 0 where it was not measured.
	ServingPeakMemoryBytes int64     `json:"serving_peak_memory_bytes,omitempty"`
	MeasuredAt             time.Time `json:"measured_at"`
}

// BoundDimensions writes sizes of symbolic dimensions in order of their names, as
// "batch=8, length=128"; none are "".
func BoundDimensions(sizes map[string]int64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		list = append(list, fmt.Sprintf("%s=%d", name, sizes[name]))
	}
	return strings.Join(list, ", ")
}
