package main

import (
	"slices"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// record adds what was measured and writes it, whole or not at all. What the file may not
// hold is refused and not kept, so that it bars no later result from the file.
func (p *probing) record(newer measurement.Measurements) error {
	if _, err := measurement.Encode(&newer); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = measurement.Merge(p.measured, &newer)
	return measurement.Write(p.dir, p.measured)
}

func (p *probing) recordNode(n measurement.Node) error {
	return p.record(measurement.Measurements{Nodes: []measurement.Node{n}})
}

func (p *probing) recordLink(l measurement.Link) error {
	return p.record(measurement.Measurements{Links: []measurement.Link{l}})
}

// recordProfile also drops profiles of what the model file was before: they say nothing
// of the one there is.
func (p *probing) recordProfile(n measurement.Profile) error {
	p.mu.Lock()
	p.measured.Profiles = slices.DeleteFunc(p.measured.Profiles, func(o measurement.Profile) bool {
		return o.Node == n.Node && o.Model == n.Model && o.Digest != n.Digest
	})
	p.mu.Unlock()
	return p.record(measurement.Measurements{Profiles: []measurement.Profile{n}})
}

// sameProfile says whether two profiles are of the same range under the same conditions.
func sameProfile(a, b measurement.Profile) bool {
	return a.Node == b.Node && a.Model == b.Model && a.Digest == b.Digest && a.Dimensions == b.Dimensions &&
		a.Optimization == b.Optimization && a.Threads == b.Threads && a.FirstSegment == b.FirstSegment && a.LastSegment == b.LastSegment
}
