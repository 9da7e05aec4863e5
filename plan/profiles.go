package plan

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/profile"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// profiled is what was measured of a model on a node, or on the node whose profile it
// has, and what follows for ranges that were not measured.
type profiled struct {
	node   string // address
	list   []*measurement.Profile
	ranges map[[2]int]*measurement.Profile // by first and last segment
	times  *profile.Times                  // nil: nothing was measured
	solver []solver.Range                  // what stages take
}

// profilesOf finds the measurements of a model on a node. Nodes that share a profile
// share the result.
func (b *builder) profilesOf(node *config.Node, model *config.Model) *profiled {
	for _, source := range []string{node.Address, node.ProfileOf} {
		key := [2]string{source, model.Name}
		found, known := b.profiles[key]
		if !known {
			found = newProfiled(source, b.matching(source, model), b.in.Chains[model.Name], model.Optimization)
			b.profiles[key] = found
		}
		if found.times != nil {
			return found
		}
	}
	return &profiled{}
}

// matching are the profiles of a model on a node that are of its file and options.
func (b *builder) matching(node string, model *config.Model) []*measurement.Profile {
	chain, dimensions := b.in.Chains[model.Name], measurement.BoundDimensions(model.Dimensions)
	var list []*measurement.Profile
	for _, p := range b.in.Config.Measured.Profiles(node, model.Name) {
		fits := p.Digest == chain.Digest && p.Dimensions == dimensions && p.LastSegment < len(chain.Segments)
		if fits && p.Optimization == model.Optimization && p.Threads == Threads(model) {
			list = append(list, p)
		}
	}
	return list
}

func newProfiled(node string, list []*measurement.Profile, chain *onnx.Chain, optimization string) *profiled {
	p := &profiled{node: node, list: list, ranges: map[[2]int]*measurement.Profile{}}
	var timed []profile.Timed
	for _, m := range list {
		p.ranges[[2]int{m.FirstSegment, m.LastSegment}] = m
		timed = append(timed, profile.Timed{First: m.FirstSegment, Last: m.LastSegment, Seconds: m.Seconds, Spread: m.Spread})
	}
	var segments []profile.Segment
	for _, s := range chain.Segments {
		segments = append(segments, profile.Segment{FLOPs: float64(s.FLOPs), WeightBytes: float64(s.WeightBytes), ActivationBytes: float64(s.ActivationBytes)})
	}
	p.times = profile.FitTimes(segments, timed)
	if p.times != nil {
		p.solver = p.solverRanges(append(append([]int{0}, AllowedCuts(chain, optimization)...), len(chain.Segments)))
	}
	return p
}

// mostRanges is how many ranges of a node have times of their own: those of a chain of 200
// cuts.
const mostRanges = 20_000

// solverRanges are the times of all ranges that a stage may have, between bounds: as measured,
// else with what ranges like it gain, which makes them other than the sums of segments. Of a
// chain with too many they are the measured ones.
func (p *profiled) solverRanges(bounds []int) []solver.Range {
	var list []solver.Range
	all := len(bounds)*(len(bounds)-1)/2 <= mostRanges
	for i, first := range bounds {
		for _, next := range bounds[i+1:] {
			last := next - 1
			switch m := p.ranges[[2]int{first, last}]; {
			case m != nil:
				list = append(list, solver.Range{First: first, Last: last, Seconds: m.Seconds})
			case all && p.times.Covers(first, last):
				list = append(list, solver.Range{First: first, Last: last, Seconds: p.times.Seconds(first, last)})
			}
		}
	}
	return list
}

// addTimes gives a node of the problem its times: of ranges as measured, of segments by
// the fit, and of those in no measured range by what the node computes in a second.
func (b *builder) addTimes(n *solver.Node, node *config.Node, model *config.Model) {
	p := b.profilesOf(node, model)
	for i, segment := range b.in.Chains[model.Name].Segments {
		seconds := 0.0
		switch {
		case p.times != nil && p.times.Covered[i]:
			seconds = p.times.Segments[i]
		case node.Compute > 0: // else it runs no stage
			seconds = float64(segment.FLOPs) / node.Compute
		}
		n.SegmentSeconds = append(n.SegmentSeconds, max(leastSeconds, seconds))
	}
	if p.times != nil {
		n.StageSeconds, n.RangeSeconds = p.times.Stage, slices.Clone(p.solver)
	}
	b.addMessages(n, node, model, p)
}

// measuredLike is what was measured of a node, or of the node whose profile it has, the
// first that has what is asked for; nil where neither has.
func (b *builder) measuredLike(node *config.Node, has func(*measurement.Node) bool) *measurement.Node {
	return b.measuredOf([]string{node.Address, node.ProfileOf}, has)
}

// measuredOf is what was measured of the first of some nodes that has what is asked for, or nil.
func (b *builder) measuredOf(nodes []string, has func(*measurement.Node) bool) *measurement.Node {
	for _, address := range nodes {
		if m := b.in.Config.Measured.Node(address); m != nil && has(m) {
			return m
		}
	}
	return nil
}

// baseBytes is what a worker takes on a node before it has a slice.
func (b *builder) baseBytes(node *config.Node) int64 {
	if m := b.measuredLike(node, func(m *measurement.Node) bool { return m.EngineBaseBytes > 0 }); m != nil {
		return m.EngineBaseBytes
	}
	return EngineBaseBytes
}

// checkProfiles warns of measurements that do not count: they are of another file, of other
// options, or of segments that the model does not have.
func (b *builder) checkProfiles() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, model := range b.in.Config.Models {
		chain, other, options := b.in.Chains[model.Name], 0, 0
		var beyond []*measurement.Profile
		for _, node := range b.cluster() {
			count := b.profilesOf(node, model).times != nil
			for _, p := range b.in.Config.Measured.Profiles(node.Address, model.Name) {
				switch {
				case p.Digest == chain.Digest && p.LastSegment >= len(chain.Segments):
					beyond = append(beyond, p)
				case count: // what is left of an earlier file is no news
				case p.Digest != chain.Digest:
					other++
				default:
					options++
				}
			}
		}
		if other+options > 0 {
			diags = append(diags, staleProfiles(model, other, options))
		}
		if len(beyond) > 0 {
			diags = append(diags, profilesBeyond(model, beyond, len(chain.Segments)))
		}
	}
	return diags
}

func staleProfiles(model *config.Model, other, options int) *hcl.Diagnostic {
	why := fmt.Sprintf("%d measured ranges are of another file", other)
	if other == 0 {
		why = fmt.Sprintf("%d measured ranges are with other dimensions, another optimization or another number of threads", options)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagWarning,
		Summary:  "Measured times do not count",
		Detail:   fmt.Sprintf("%s: %s, so its times are computed from what nodes compute in a second. Run `edgeplan probe`.", model.Address, why),
		Subject:  model.SourceRange.Ptr(),
	}
}

func profilesBeyond(model *config.Model, list []*measurement.Profile, segments int) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagWarning,
		Summary:  "Measured times do not count",
		Detail: fmt.Sprintf("%s has %d segments, 0 to %d, and %s holds %d measured ranges that end beyond them, %d to %d on %s first. "+
			"Delete them there, as somebody has edited them or another version of edgeplan has measured them, and run `edgeplan probe`.",
			model.Address, segments, segments-1, measurement.FileName, len(list), list[0].FirstSegment, list[0].LastSegment, list[0].Node),
		Subject: model.SourceRange.Ptr(),
	}
}
