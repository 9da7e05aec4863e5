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

// newPasses begins with what an earlier run, as one that was interrupted, knows of some ranges. That
// counts as one pass.
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

// due are the ranges to be run in a pass, from 0 on: those that all passes before have run, since what
// cannot be timed is not tried again, and after the least passes those of them that are not known well enough.
func (k passes) due(list []timing, pass int) []timing {
	return slices.DeleteFunc(slices.Clone(list), func(t timing) bool {
		return k.count(t) != pass || pass >= leastPasses && k[t.model].Result(t.first, t.last).Spread <= passGoal
	})
}

// later is how many runs come after a pass, as far as that is known.
func (k passes) later(list []timing, pass int) (runs int) {
	for _, t := range list {
		if n := k.count(t); n >= pass {
			runs += max(0, leastPasses-max(n, pass+1))
		}
	}
	return runs
}

func (k passes) count(t timing) int { return k[t.model].Count(t.first, t.last) }

// untimed is what becomes of a range that fails.
func (k passes) untimed(t timing) string {
	if k.count(t) > 0 {
		return "not timed again"
	}
	return "not timed"
}

// settle records once more what all passes together say of ranges: by how much they differ is
// known when the last one is run.
func (p *probing) settle(list []timing, passes passes) error {
	var known []measurement.Profile
	for _, t := range list {
		if passes.count(t) >= leastPasses {
			known = append(known, p.profileAfter(t, passes[t.model]))
		}
	}
	return p.record(measurement.Measurements{Profiles: known})
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
	took := m.Seconds
	if took <= leastSeconds {
		took = 0
	}
	return probe.RangeResult{Seconds: took, Spread: m.Spread, Deviation: m.Deviation, PeakBytes: m.PeakMemoryBytes,
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
