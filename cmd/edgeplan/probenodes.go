package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// What is worth a warning.
const (
	busyDevice  = 0.2
	clockWrong  = 2 * time.Minute
	engineTypes = "node.probe"
)

// look asks nodes what they are and have, all at once.
func (p *probing) look(ctx context.Context, nodes []string) {
	p.progress.begin("node", len(nodes))
	p.each(nodes, func(node string) {
		if err := p.lookAt(ctx, node); err != nil && ctx.Err() == nil {
			p.fail(err)
		}
	})
}

func (p *probing) lookAt(ctx context.Context, node string) error {
	_, engine := p.engine(node)
	facts, offset, err := p.probes.Facts(ctx, node, !engine)
	if err != nil {
		return err
	}
	p.keepLive(node, facts)
	m := measurement.Node{Node: node, Architecture: p.architecture(node), Cores: facts.Cores,
		MemoryTotalBytes: facts.MemoryTotalBytes, MemoryLimitBytes: facts.MemoryLimitBytes, MemoryBytes: facts.UsableBytes(),
		DiskFreeBytes: facts.DiskFreeBytes, CPUSecondsPerByte: facts.CPUSecondsPerByte,
		ClockOffsetSeconds: offset.Round(time.Millisecond).Seconds(), ComputeFLOPPerSecond: p.knownNode(node).ComputeFLOPPerSecond,
		MeasuredAt: p.now()}
	p.warnOf(node, facts, offset)
	if base, err := p.baseOf(ctx, node); err == nil {
		m.EngineBaseBytes, m.EngineLoadSeconds = base.WorkerBytes, base.LoadSeconds
		m.CPUSecondsPerRequest, m.CPUSecondsPerByte = max(base.RequestSeconds, leastSeconds), cmp.Or(base.ByteSeconds, m.CPUSecondsPerByte)
	} else {
		p.fail(err)
	}
	if err := p.recordNode(m); err != nil {
		return err
	}
	p.progress.step("%s: %s, %s of memory to use", node, count(m.Cores, "core"), quantity.FormatBytes(m.MemoryBytes))
	return nil
}

// keepLive keeps what a node says of itself now, made credible.
func (p *probing) keepLive(node string, facts probe.Facts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[node] = facts
}

func (p *probing) warnOf(node string, facts probe.Facts, offset time.Duration) {
	for _, doubt := range facts.Doubts {
		p.warn("%s: %s", node, doubt)
	}
	if len(facts.Workers) > 0 {
		p.warn("%s serves %s: what is measured there is what is left beside it", node, strings.Join(facts.Workers, ", "))
	} else if facts.Busy > busyDevice {
		p.warn("%s is busy: other programs used %s of its processors while it was looked at", node, quantity.FormatPercent(facts.Busy))
	}
	if offset.Abs() > clockWrong {
		p.warn("%s: its clock is off by %s; times in its logs mislead, and nothing measured here depends on it", node, offset.Round(time.Second))
	}
}

func (p *probing) knownNode(node string) measurement.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.measured.Nodes {
		if n.Node == node {
			return n
		}
	}
	return measurement.Node{Node: node}
}

// baseOf measures what a worker costs beside its slice, once a run. Where there is no
// engine for the node, that is nothing.
func (p *probing) baseOf(ctx context.Context, node string) (probe.Base, error) {
	p.mu.Lock()
	known, ok := p.bases[node]
	p.mu.Unlock()
	engine, has := p.engine(node)
	if ok || !has {
		return known, nil
	}
	blob := p.blobs.program(worker.EngineFile, engine)
	if err := p.probes.Upload(ctx, node, p.blobs, []statefile.Blob{blob}); err != nil {
		return known, err
	}
	request := probe.BaseRequest{Engine: probe.File{Name: blob.Name, Digest: blob.Digest}}
	var err error
	if request.Tiny, err = passing(tinyValues); err != nil {
		return known, err
	}
	if request.Large, err = passing(largeValues); err != nil {
		return known, err
	}
	base, err := p.probes.Base(ctx, node, request)
	if err != nil {
		return known, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bases[node] = base
	return base, nil
}

// Values of the tensors with which a worker is measured: 16 bytes, and 256 KiB.
const tinyValues, largeValues = 4, 64 << 10

// passing is a model of one operator and no weights.
func passing(values int64) (probe.Passing, error) {
	b := modelbuilder.New("probe", 1)
	x := b.Input("x", tensor.Float32, 1, values)
	y := b.Node("Relu", []string{x})
	b.Output(y)
	model, err := b.Model()
	if err != nil {
		return probe.Passing{}, err
	}
	graph, err := model.Bytes()
	info := func(name string) tensor.Info {
		return tensor.Info{Name: name, Type: tensor.Float32, Shape: []int64{1, values}}
	}
	return probe.Passing{Graph: graph, Input: info(x), Output: info(y)}, err
}
