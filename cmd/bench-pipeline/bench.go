package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// bench is what all rows share.
type bench struct {
	options
	dir, engine, worker string
	limits              limits
	known               map[[2]float64]simulation.Device // by share of a core and Mbit/s
}

// row plans a model on a cluster, measures the parts, predicts, and measures the whole.
func (b *bench) row(ctx context.Context, name string, chain *onnx.Chain, c cluster) (row, error) {
	devices, whole, wire, err := b.devices(chain, c)
	if err != nil {
		return row{}, err
	}
	p := problem(chain, c, whole)
	for v, seconds := range wire {
		p.Nodes[v].CPUSecondsPerByte = seconds
	}
	solution, err := solver.Solve(ctx, p, solver.Options{})
	if err != nil {
		return row{}, err
	}
	pipeline, err := b.reach(ctx, chain, c, p, devices, solution.Stages, true)
	if err != nil {
		return row{}, err
	}
	best := 0
	for v, seconds := range whole {
		if seconds < whole[best] {
			best = v
		}
	}
	single, err := b.reach(ctx, chain, c, p, devices, []solver.Placed{{Node: best, LastSegment: p.Segments() - 1}}, false)
	if err != nil {
		return row{}, err
	}
	r := row{
		model: name, cluster: c.name, stages: len(solution.Stages),
		predicted: 1 / pipeline.predicted.BottleneckSeconds, measured: pipeline.throughput, p50: pipeline.p50,
		single: p.Nodes[best].Name, singlePredicted: 1 / single.predicted.BottleneckSeconds, singleReached: single.throughput,
		gatewayBytes: pipeline.gatewayBytes,
	}
	r.bottleneck, r.link = nameOf(p, pipeline.predicted.Bottleneck)
	return r, nil
}

// devices makes the limited devices and runs the whole model on each; wire is what a byte
// over TLS takes there.
func (b *bench) devices(chain *onnx.Chain, c cluster) (groups []string, seconds, wire []float64, err error) {
	path, err := b.write(chain, 0, len(chain.Segments)-1)
	if err != nil {
		return nil, nil, nil, err
	}
	known := map[float64][2]float64{}
	for _, share := range c.shares {
		group, err := b.limits.device(share)
		if err != nil {
			return nil, nil, nil, err
		}
		times, ok := known[share]
		if !ok {
			if times[0], err = b.time(group, path); err != nil {
				return nil, nil, nil, err
			}
			if !b.simulate { // which times messages instead
				if times[1], err = b.timeWire(group, share, c.mbps); err != nil {
					return nil, nil, nil, err
				}
			}
			known[share] = times
		}
		groups, seconds, wire = append(groups, group), append(seconds, times[0]), append(wire, times[1])
	}
	return groups, seconds, wire, nil
}

func (b *bench) write(chain *onnx.Chain, first, last int) (string, error) {
	slice, err := chain.Slice(first, last)
	if err != nil {
		return "", err
	}
	return chain.WriteSlice(filepath.Join(b.dir, fmt.Sprintf("%s-%d-%d", filepath.Base(chain.Path), first, last)), slice)
}

// problem is the cluster before the slices are measured: the time of the whole model on a
// device, spread over the segments by their operations. The gateway is the last node.
func problem(chain *onnx.Chain, c cluster, whole []float64) *solver.Problem {
	gateway := len(c.shares)
	p := &solver.Problem{Gateway: &gateway, ExcludedNodes: []int{gateway}, AllowedCuts: []int{}}
	for _, cut := range chain.Cuts {
		p.CutBytes = append(p.CutBytes, cut.Bytes)
		if cut.Position > 0 && cut.Position < len(chain.Segments) && !cut.SplitsFusion && cut.Uncuttable == "" {
			p.AllowedCuts = append(p.AllowedCuts, cut.Position)
		}
	}
	for _, s := range chain.Segments {
		p.SegmentBytes = append(p.SegmentBytes, s.WeightBytes)
	}
	for v := range gateway + 1 {
		n := solver.Node{Name: fmt.Sprintf("node.d%d", v), MemoryBytes: 1 << 40, SegmentSeconds: make([]float64, len(chain.Segments))}
		for i, s := range chain.Segments {
			n.SegmentSeconds[i] = whole[min(v, gateway-1)] * float64(max(1, s.FLOPs)) / float64(chain.FLOPs)
		}
		p.Nodes = append(p.Nodes, n)
		rates := make([]float64, gateway+1)
		for u := range rates {
			rates[u] = c.mbps * 1e6 / 8
		}
		p.Bandwidth = append(p.Bandwidth, rates)
	}
	return p
}

// scale makes the segments of a stage take the measured time together.
func scale(p *solver.Problem, s solver.Placed, seconds float64) {
	times := p.Nodes[s.Node].SegmentSeconds
	var sum float64
	for _, t := range times[s.FirstSegment : s.LastSegment+1] {
		sum += t
	}
	for i := s.FirstSegment; i <= s.LastSegment; i++ {
		times[i] *= seconds / sum
	}
}
