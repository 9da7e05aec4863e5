// Package solver partitions a chain of segments into stages and places the
// stages on nodes so that the bottleneck, the busiest resource per inference,
// is as small as possible, and proves how good the answer is.
//
// It knows no ONNX, no HCL and no SSH: a Problem is dense ints and floats.
// Evaluate is the one definition of cost.
//
// The problem widens the one of A. Parthasarathy and B. Krishnamachari,
// "Partitioning and Placement of Deep Neural Networks on Distributed Edge
// Devices to Maximize Inference Throughput", arXiv 2210.12219 (the paper): nodes
// differ, compute and memory count, cuts and nodes are chosen together.
package solver

import "encoding/json"

// Problem is a chain of L segments, numbered 0..L-1, and a cluster of n nodes.
// Position b, 0..L, lies before segment b; the tensors alive there are cut b.
// With Models there are several chains on the cluster.
type Problem struct {
	Name string `json:"name,omitempty"`

	// SegmentNames has L entries, or is nil: what messages call a segment.
	SegmentNames []string `json:"segment_names,omitempty"`
	// CutBytes has L+1 entries: the bytes of each cut. Cut 0 enters from the
	// gateway and cut L returns to it.
	CutBytes []int64 `json:"cut_bytes"`
	// SegmentBytes has L entries: the memory each segment needs while its stage
	// is loaded (its weights).
	SegmentBytes []int64 `json:"segment_bytes"`
	// ActivationBytes has L entries: the activations alive while the segment
	// runs. A stage needs its largest. Nil means none.
	ActivationBytes []int64 `json:"activation_bytes,omitempty"`
	// A stage from cut i to cut j also needs InBuffers*CutBytes[i] +
	// OutBuffers*CutBytes[j] bytes.
	InBuffers  int64 `json:"in_buffers,omitempty"`
	OutBuffers int64 `json:"out_buffers,omitempty"`

	// Gateway is the node where cut 0 starts and cut L ends; nil means that
	// both cost nothing.
	Gateway *int `json:"gateway"`

	Nodes []Node `json:"nodes"`

	// Bandwidth in bytes per second from node u (row) to node v (column); 0 is
	// not connected. The diagonal is not read.
	Bandwidth [][]float64 `json:"bandwidth_bytes_per_second"`
	// Latency in seconds one way, added to a transfer for the end-to-end
	// latency and never for the bottleneck. Nil means 0.
	Latency [][]float64 `json:"latency_seconds,omitempty"`
	// Shared networks: the transfer times over a network's pairs add up.
	Shared []Shared `json:"shared,omitempty"`

	// AllowedCuts are the inner positions where the chain may be cut; nil is
	// every one of 1..L-1. An empty, non-nil list allows none.
	AllowedCuts []int `json:"allowed_cuts,omitempty"`
	// MaxStages bounds the stages; 0 is as many as there are nodes.
	MaxStages int `json:"max_stages,omitempty"`
	// Pinned segments must run on the given node.
	Pinned []Pin `json:"pinned,omitempty"`
	// ExcludedNodes run no stage (one of them may still be the gateway).
	ExcludedNodes []int `json:"excluded_nodes,omitempty"`
	// Overlap says whether a node computes, receives and sends at the same time;
	// nil is true. False: one after another, so its times add up.
	Overlap *bool `json:"overlap,omitempty"`
	// Start is a placement to start from. The solver returns it unless it does
	// not fit or a strictly better one is found.
	Start []Placed `json:"start,omitempty"`
	// HeldBytes[v][s] are the bytes of segment s that node v already has; nil is
	// none. Among equal bottlenecks the fewest bytes to move win.
	HeldBytes [][]int64 `json:"-"`

	// Models are several chains on the one cluster, each in place of what the
	// problem says of its chain (multi.go defines what they cost together). Then
	// only Name, Nodes, Bandwidth, Latency, Shared and Overlap are the problem's.
	Models []Model `json:"models,omitempty"`
}

// Node is a device that can run one stage of each model.
type Node struct {
	Name string `json:"name"`
	// MemoryBytes is what the stage may use in all; BaseBytes of it are used
	// whatever the stage is.
	MemoryBytes int64 `json:"memory_bytes"`
	BaseBytes   int64 `json:"base_bytes,omitempty"`
	// SegmentSeconds has L entries: how long each segment takes here.
	SegmentSeconds []float64 `json:"segment_seconds"`
	// ModelSeconds stands for SegmentSeconds where the problem has models: one list
	// for each model.
	ModelSeconds [][]float64 `json:"-"`
	// StageSeconds is added to the time of every stage here whose range is not in
	// RangeSeconds: what a run costs however many segments it has.
	StageSeconds float64 `json:"stage_seconds,omitempty"`
	// ModelStageSeconds stands for StageSeconds where the problem has models: one for
	// each model, or nil.
	ModelStageSeconds []float64 `json:"-"`
	// CPUSecondsPerByte is added to the stage's time for every byte in and out
	// that crosses a link.
	CPUSecondsPerByte float64 `json:"cpu_seconds_per_byte,omitempty"`
	// The rates of the node's interface, one a direction, which all its
	// transfers that way share; 0 is as fast as the links.
	SendBytesPerSecond    float64 `json:"send_bytes_per_second,omitempty"`
	ReceiveBytesPerSecond float64 `json:"receive_bytes_per_second,omitempty"`
	// RangeSeconds are measured: a stage of exactly these segments takes that
	// long, whatever its segments take one by one, StageSeconds included.
	RangeSeconds []Range `json:"range_seconds,omitempty"`
	// ModelRanges stands for RangeSeconds where the problem has models: one list
	// for each model, or nil.
	ModelRanges [][]Range `json:"-"`
}

// Range is the measured time of segments First..Last, both included.
type Range struct {
	First, Last int
	Seconds     float64
}

// MarshalJSON writes the triple of the problem file.
func (r Range) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{r.First, r.Last, r.Seconds})
}

// Shared is a medium, such as one radio channel, that its pairs share.
type Shared struct {
	Name  string   `json:"name"`
	Pairs [][2]int `json:"pairs"` // from, to
}

// Pin fixes one segment to one node.
type Pin struct {
	Segment int `json:"segment"`
	Node    int `json:"node"`
}

// Placed is one stage: segments FirstSegment..LastSegment, both included, on a node.
type Placed struct {
	Node         int `json:"node"`
	FirstSegment int `json:"first_segment"`
	LastSegment  int `json:"last_segment"`
}

// Segments is L, the length of the chain.
func (p *Problem) Segments() int { return len(p.SegmentBytes) }

// serial says that a node does one thing at a time.
func (p *Problem) serial() bool { return p.Overlap != nil && !*p.Overlap }
