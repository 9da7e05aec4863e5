package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// How a range is timed.
const (
	rangeGoal = 0.02 // spread at which it is enough
	// memoryShare is how much of the free memory a range may be expected to take.
	memoryShare = 0.9
	// leastSeconds stands for nothing, as of a range that only passes tensors on.
	leastSeconds = 1e-9
	planRounds   = 2 // of planning and timing what was planned
)

// timeAll times ranges on all nodes at once, one after the other on each.
func (p *probing) timeAll(ctx context.Context, times map[string][]timing) {
	total := 0
	for _, list := range times {
		total += leastPasses * len(list)
	}
	p.progress.begin("range", total)
	p.each(sortedTimings(times), func(node string) {
		if err := p.timeOn(ctx, node, times[node]); err != nil && ctx.Err() == nil {
			p.fail(err)
		}
	})
}

// timeOn times ranges on a node, in passes: all of them once, and then all of them again.
func (p *probing) timeOn(ctx context.Context, node string, list []timing) error {
	expected := leastPasses * len(list) // runs that the progress counts with
	if err := p.know(ctx, node); err != nil {
		p.progress.more(-expected)
		return err
	}
	passes := newPasses(p, list)
	for pass := range mostPasses {
		due, later := passes.due(list, pass), passes.later(list, pass)
		p.progress.more(len(due) + later - expected)
		if left, err := p.pass(ctx, node, due, passes); err != nil {
			p.progress.more(-left - later)
			return err
		}
		expected = later
	}
	return p.settle(list, passes)
}

// pass times ranges on a node once. A range that fails is told of, and the others go on; a device
// that is gone ends it, and left is how many ranges were to come.
func (p *probing) pass(ctx context.Context, node string, list []timing, passes passes) (left int, err error) {
	for i, t := range list {
		err := p.timeRange(ctx, t, passes[t.model])
		if ctx.Err() != nil {
			return len(list) - i, ctx.Err()
		}
		if away := unreachable(err); away != nil {
			p.leave(node)
			return len(list) - i, fmt.Errorf("%s: %s %s: %w", node, count(len(list)-i, "range"), passes.untimed(t), away)
		}
		if err != nil {
			p.fail(fmt.Errorf("%s of %s: %w", t.name(), t.model.Address, err))
			p.progress.step("%s on %s: %s", t.name(), node, passes.untimed(t))
		}
		if err := p.recordCompute(node); err != nil {
			return len(list) - i - 1, err
		}
	}
	return 0, nil
}

// know makes sure that it is known what the node has free now, and what a worker costs.
func (p *probing) know(ctx context.Context, node string) error {
	p.mu.Lock()
	_, known := p.live[node]
	p.mu.Unlock()
	if p.knownNode(node).MeasuredAt.IsZero() {
		return p.lookAt(ctx, node)
	}
	if !known {
		facts, offset, err := p.probes.Facts(ctx, node, false)
		if err != nil {
			return err
		}
		p.keepLive(node, facts)
		p.warnOf(node, facts, offset)
	}
	_, err := p.baseOf(ctx, node)
	return err
}

// name is as "segments 3 to 17".
func (r segmentRange) name() string { return fmt.Sprintf("segments %d to %d", r.first, r.last) }

// timeRange times a range once more, and records what all its passes say.
func (p *probing) timeRange(ctx context.Context, t timing, passes *probe.Passes) error {
	chain := p.chains[t.model.Name]
	p.mu.Lock()
	base, free := p.bases[t.node], p.allowed(t.node)
	p.mu.Unlock()
	need := base.RunnerBytes + rangeMemory(chain, t.segmentRange, t.model.Optimization)
	if float64(need) > memoryShare*float64(free) {
		p.progress.step("%s of %s on %s: left out, it needs %s of memory and %s are free", t.name(), t.model.Name, t.node,
			quantity.FormatBytes(need), quantity.FormatBytes(free))
		return nil
	}
	request, err := p.bring(ctx, t)
	if err != nil {
		return err
	}
	request.MemoryBytes = free
	room := float64(need+2*base.WorkerBytes) <= memoryShare*float64(free)
	request.Serve = room && p.served(t)
	result, err := p.probes.Range(ctx, t.node, request)
	if err != nil {
		return err
	}
	if result.PeakBytes > 0 { // a worker takes more than the process that timed it
		result.PeakBytes += max(0, base.WorkerBytes-base.RunnerBytes)
	}
	passes.Add(t.first, t.last, result)
	profile := p.profileAfter(t, passes)
	if result.ServingProblem != "" && profile.ServingCPUSeconds == 0 {
		p.warn("%s of %s on %s was not timed as a stage: %s", t.name(), t.model.Address, t.node, result.ServingProblem)
	}
	if err := p.recordProfile(profile); err != nil {
		return err
	}
	p.progress.step("%s of %s on %s: %s ± %s", t.name(), t.model.Name, t.node, quantity.FormatSeconds(profile.Seconds), quantity.FormatPercent(profile.Spread))
	return nil
}

// allowed is the memory that a range may have on a node: what is free, and what the
// configuration allows.
func (p *probing) allowed(node string) int64 {
	free, known := p.live[node].FreeBytes(), p.live[node].MemoryTotalBytes > 0
	switch n := p.nodes[node]; {
	case n.MemoryOrigin != config.Declared:
		return free
	case known:
		return min(free, n.Memory)
	default:
		return n.Memory
	}
}

// bring uploads a range and the engine, under the digests by which an apply finds them.
func (p *probing) bring(ctx context.Context, t timing) (probe.RangeRequest, error) {
	request := probe.RangeRequest{Optimization: t.model.Optimization, Threads: plan.Threads(t.model), Goal: rangeGoal, Cap: p.flags.rangeTime.Seconds()}
	cut, err := p.chains[t.model.Name].Slice(t.first, t.last)
	if err != nil {
		return request, err
	}
	request.Inputs, request.Outputs = cut.Inputs, cut.Outputs
	engine, ok := p.engine(t.node)
	if !ok {
		return request, errors.New("there is no engine for the node")
	}
	graph := plan.DigestOf(cut.Graph)
	p.blobs.add(graph, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(cut.Graph)), nil })
	blobs := []statefile.Blob{p.blobs.program(worker.EngineFile, engine), {Name: worker.GraphFile, Digest: graph, Size: int64(len(cut.Graph))}}
	for _, weight := range cut.Weights {
		p.blobs.add(weight.Digest, weight.Open)
		blobs = append(blobs, statefile.Blob{Name: weight.Digest, Digest: weight.Digest, Size: weight.Size})
	}
	for _, blob := range blobs {
		request.Files = append(request.Files, probe.File{Name: blob.Name, Digest: blob.Digest})
	}
	return request, p.probes.Upload(ctx, t.node, p.blobs, blobs)
}

// recordCompute records what a node computes in a second, over the longest ranges that
// were timed of each model.
func (p *probing) recordCompute(node string) error {
	flops, seconds := 0.0, 0.0
	p.mu.Lock()
	for _, model := range p.config.Models {
		if chain := p.chains[model.Name]; chain != nil {
			f, s := longestProfile(p.measured.Profiles, node, model, chain.Digest, func(m measurement.Profile) float64 {
				return float64(rangeFLOPs(chain, segmentRange{m.FirstSegment, m.LastSegment}))
			})
			flops, seconds = flops+f, seconds+s
		}
	}
	p.mu.Unlock()
	n := p.knownNode(node)
	if seconds <= 0 || n.MeasuredAt.IsZero() {
		return nil
	}
	n.ComputeFLOPPerSecond = float64(int64(flops / seconds))
	return p.recordNode(n)
}

// longestProfile gives the work and the time of the range with most work.
func longestProfile(list []measurement.Profile, node string, model *config.Model, digest string, work func(measurement.Profile) float64) (flops, seconds float64) {
	dimensions := measurement.BoundDimensions(model.Dimensions)
	for _, m := range list {
		if m.Node == node && m.Model == model.Name && m.Digest == digest && m.Dimensions == dimensions && m.Seconds > 0 {
			if w := work(m); w > flops {
				flops, seconds = w, m.Seconds
			}
		}
	}
	return flops, seconds
}

// timePlanned plans with what is known by now and times the ranges of the plan: what
// is to be deployed is then measured, not put together from parts. The plan may change
// by that, so it is made again.
func (p *probing) timePlanned(ctx context.Context) {
	if !p.scope.kind(kindProfiles) {
		return
	}
	for range planRounds {
		times := p.plannedRanges(ctx)
		maps.DeleteFunc(times, func(node string, _ []timing) bool { return !p.there(node) })
		if len(times) == 0 || ctx.Err() != nil {
			return
		}
		p.timeAll(ctx, times)
	}
}

// unplanned says whether an earlier run has ended before it timed ranges of a plan: there is a model
// of which none is known but those that every run times, or one that was not timed often enough.
func (p *probing) unplanned() bool {
	for _, model := range p.config.Models {
		chain := p.chains[model.Name]
		if chain == nil {
			continue
		}
		chosen, dimensions := rangesToMeasure(chain, model.Optimization), measurement.BoundDimensions(model.Dimensions)
		planned := slices.DeleteFunc(slices.Clone(p.measured.Profiles), func(m measurement.Profile) bool {
			other := !slices.Contains(chosen, segmentRange{m.FirstSegment, m.LastSegment})
			return m.Model != model.Name || m.Digest != chain.Digest || m.Dimensions != dimensions || !other || !p.fresh(m.MeasuredAt)
		})
		if len(planned) == 0 || slices.ContainsFunc(planned, func(m measurement.Profile) bool { return m.Passes < leastPasses }) {
			return true
		}
	}
	return false
}

// plannedRanges are the ranges of the best plan that were not timed yet.
func (p *probing) plannedRanges(ctx context.Context) map[string][]timing {
	made, err := p.planQuietly(ctx, planFlags{vars: p.flags.vars, replan: true}, p.prior)
	if err != nil {
		return nil // `edgeplan plan` says why
	}
	found := map[string][]timing{}
	for _, model := range p.config.Models {
		if p.chains[model.Name] == nil {
			continue
		}
		for _, slice := range made.Desired.Models[model.Name].Slices {
			t := timing{p.kindOf(slice.Node), model, segmentRange{slice.FirstSegment, slice.LastSegment}}
			if p.nodes[t.node] != nil && p.timed(t.node) && !p.freshTiming(t) {
				found[t.node] = append(found[t.node], t)
			}
		}
	}
	return found
}
