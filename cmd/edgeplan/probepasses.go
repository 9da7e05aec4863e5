package main

import (
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
)

// A range is run in so many passes: as few as tell whether they differ, and more while what
// they tell is not within passGoal.
const (
	leastPasses = 2
	mostPasses  = 4
	passGoal    = 0.03
)

// passes are those of each model on one node.
type passes map[*config.Model]*probe.Passes

// newPasses begins with what an interrupted run knows of some ranges, which counts as one pass.
func newPasses(p *probing, list []timing) passes {
	known := passes{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range list {
		if known[t.model] == nil {
			known[t.model] = &probe.Passes{}
		}
		if m := p.known(t); m != nil && p.fresh(m.MeasuredAt) {
			known[t.model].Add(t.first, t.last, resultOf(m))
		}
	}
	return known
}

// unsure are the ranges that are not known well enough.
func (k passes) unsure(list []timing) []timing {
	return slices.DeleteFunc(slices.Clone(list), func(t timing) bool {
		return k[t.model].Result(t.first, t.last).Spread <= passGoal
	})
}

// known is what the file has of a range, or nil. The lock is held.
func (p *probing) known(t timing) *measurement.Profile {
	wanted := p.profileOf(t)
	at := slices.IndexFunc(p.measured.Profiles, func(o measurement.Profile) bool { return sameProfile(o, wanted) })
	if at < 0 {
		return nil
	}
	return &p.measured.Profiles[at]
}

func resultOf(m *measurement.Profile) probe.RangeResult {
	return probe.RangeResult{Seconds: m.Seconds, Spread: m.Spread, Deviation: m.Deviation, PeakBytes: m.PeakMemoryBytes,
		ServingCPUSeconds: m.ServingCPUSeconds, ServingPeakBytes: m.ServingPeakMemoryBytes}
}

// profileAfter is the profile of a range by its passes.
func (p *probing) profileAfter(t timing, passes *probe.Passes) measurement.Profile {
	m, r := p.profileOf(t), passes.Result(t.first, t.last)
	m.Passes, m.MeasuredAt = passes.Count(t.first, t.last), p.now()
	m.Seconds, m.Spread, m.Deviation, m.PeakMemoryBytes = max(r.Seconds, leastSeconds), r.Spread, r.Deviation, r.PeakBytes
	m.ServingCPUSeconds, m.ServingPeakMemoryBytes = r.ServingCPUSeconds, r.ServingPeakBytes
	return m
}
