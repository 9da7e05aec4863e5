package solver

import (
	"encoding/json"
	"fmt"
)

// Several models on one cluster.
//
// A problem with Models has no chain of its own; each model has one, with its own
// gateway, cuts, pins and start. All models run at once. Model m runs at s times its
// required throughput r_m, inferences per second, with one s for all: the largest
// smallest throughput / required throughput is the largest s. So the times of
// model m count r_m times, and what a resource is busy adds up over models: the
// bottleneck is the busiest resource in seconds for r_m inferences of every model m,
// s is its reciprocal, and the throughput of model m is r_m / bottleneck. Everything
// required is met when the bottleneck is at most 1 s.
//
// The memory of a node adds up too: a stage is a process of its own, so the base of
// the node counts once for each stage. A node holds at most one stage of a model,
// and stages of as many models as fit.

// Model is one chain of a problem with several. Its fields mean what those of Problem
// with the same name mean.
type Model struct {
	Name string `json:"name"`
	// RequiredThroughput is r_m, in inferences per second; 0 stands for 1. A model
	// that gives none beside others that do also counts with 1.
	RequiredThroughput float64 `json:"required_throughput,omitempty"`

	SegmentNames    []string `json:"segment_names,omitempty"`
	CutBytes        []int64  `json:"cut_bytes"`
	SegmentBytes    []int64  `json:"segment_bytes"`
	ActivationBytes []int64  `json:"activation_bytes,omitempty"`
	InBuffers       int64    `json:"in_buffers,omitempty"`
	OutBuffers      int64    `json:"out_buffers,omitempty"`
	Gateway         *int     `json:"gateway"`
	AllowedCuts     []int    `json:"allowed_cuts,omitempty"`
	MaxStages       int      `json:"max_stages,omitempty"`
	Pinned          []Pin    `json:"pinned,omitempty"`
	ExcludedNodes   []int    `json:"excluded_nodes,omitempty"`
	Start           []Placed `json:"start,omitempty"`

	HeldBytes [][]int64 `json:"-"`
	// NodeBaseBytes[v] stands for BaseBytes of node v under a stage of this model;
	// nil is the base of each node.
	NodeBaseBytes []int64 `json:"-"`
}

// required is r_m.
func (m *Model) required() float64 {
	if m.RequiredThroughput == 0 {
		return 1
	}
	return m.RequiredThroughput
}

// ModelName is the name of model k, or "model 3" when it has none.
func (p *Problem) ModelName(k int) string {
	if name := p.Models[k].Name; name != "" {
		return name
	}
	return fmt.Sprintf("model %d", k)
}

// modelName is what messages call a model.
func (p *Problem) modelName(k int) string {
	if name := p.Models[k].Name; name != "" {
		return "model " + name
	}
	return p.ModelName(k)
}

// RequiredThroughput is r_m of model k, in inferences per second.
func (p *Problem) RequiredThroughput(k int) float64 { return p.Models[k].required() }

// Alone is model k as if it had the cluster by itself: a problem with one chain,
// whose costs are those of one inference.
func (p *Problem) Alone(k int) *Problem { return p.alone(k, 1) }

// scaled is model k alone with every time taken as often as it is required.
func (p *Problem) scaled(k int) *Problem { return p.alone(k, p.Models[k].required()) }

// alone is model k with every time taken rate times. A rate of 1 changes no bit.
func (p *Problem) alone(k int, rate float64) *Problem {
	m := &p.Models[k]
	q := &Problem{
		Name: m.Name, SegmentNames: m.SegmentNames,
		CutBytes: m.CutBytes, SegmentBytes: m.SegmentBytes, ActivationBytes: m.ActivationBytes,
		InBuffers: m.InBuffers, OutBuffers: m.OutBuffers, Gateway: m.Gateway,
		Bandwidth: divided(p.Bandwidth, rate), Latency: p.Latency, Shared: p.Shared,
		AllowedCuts: m.AllowedCuts, MaxStages: m.MaxStages, Pinned: m.Pinned,
		ExcludedNodes: m.ExcludedNodes, Overlap: p.Overlap, Start: m.Start, HeldBytes: m.HeldBytes,
	}
	for v := range p.Nodes {
		q.Nodes = append(q.Nodes, p.nodeAlone(v, k, rate))
	}
	return q
}

// nodeAlone is a node as one model sees it.
func (p *Problem) nodeAlone(v, k int, rate float64) Node {
	n := p.Nodes[v]
	if base := p.Models[k].NodeBaseBytes; v < len(base) {
		n.BaseBytes = base[v]
	}
	n.SegmentSeconds, n.RangeSeconds, n.StageSeconds = nil, nil, 0
	if k < len(n.ModelStageSeconds) {
		n.StageSeconds = n.ModelStageSeconds[k] * rate
	}
	if k < len(n.ModelSeconds) {
		n.SegmentSeconds = multiplied(n.ModelSeconds[k], rate)
	}
	if k < len(n.ModelRanges) {
		for _, r := range n.ModelRanges[k] {
			n.RangeSeconds = append(n.RangeSeconds, Range{r.First, r.Last, r.Seconds * rate})
		}
	}
	n.ModelSeconds, n.ModelRanges, n.ModelStageSeconds = nil, nil, nil
	n.CPUSecondsPerByte *= rate
	n.SendBytesPerSecond /= rate
	n.ReceiveBytesPerSecond /= rate
	return n
}

func multiplied(seconds []float64, rate float64) []float64 {
	if rate == 1 {
		return seconds
	}
	out := make([]float64, len(seconds))
	for i, s := range seconds {
		out[i] = s * rate
	}
	return out
}

func divided(rows [][]float64, rate float64) [][]float64 {
	if rate == 1 {
		return rows
	}
	out := make([][]float64, len(rows))
	for u, row := range rows {
		for _, x := range row {
			out[u] = append(out[u], x/rate)
		}
	}
	return out
}

// MarshalJSON writes segment_seconds and range_seconds as the problem file has
// them: one list, or one list a model.
func (n Node) MarshalJSON() ([]byte, error) {
	type plain Node
	if n.ModelSeconds == nil {
		return json.Marshal(plain(n))
	}
	return json.Marshal(struct {
		plain
		SegmentSeconds [][]float64 `json:"segment_seconds"`
		RangeSeconds   [][]Range   `json:"range_seconds,omitempty"`
		StageSeconds   []float64   `json:"stage_seconds,omitempty"`
	}{plain(n), n.ModelSeconds, n.ModelRanges, n.ModelStageSeconds})
}
