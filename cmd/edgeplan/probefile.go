package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// readMeasured reads what was measured before.
func (p *probing) readMeasured() (err error) {
	p.seen, _ = os.Stat(p.measurementsPath())
	p.measured, err = measurement.Read(p.dir)
	return err
}

// record adds what was measured, and returns when that is written, whole or not at all. What
// the file may not hold is refused and not kept, so that it bars no later result from the file.
func (p *probing) record(newer measurement.Measurements) error {
	if _, err := measurement.Encode(&newer); err != nil {
		return err
	}
	if err := p.note(newer.Links); err != nil {
		return err
	}
	p.mu.Lock()
	p.measured, p.results = measurement.Merge(p.measured, &newer), measurement.Merge(p.results, &newer)
	p.revision++
	mine := p.revision
	p.mu.Unlock()
	return p.write(mine)
}

// write writes all that is known, unless somebody has done so since it was of a revision:
// results that come while the file is being written are written together, as the file of a
// hundred devices takes longer to write than a test of a link to run.
func (p *probing) write(revision uint64) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.written >= revision {
		return nil
	}
	if err := p.takeEdits(); err != nil {
		return err
	}
	p.mu.Lock()
	measured, latest := p.measured, p.revision
	p.mu.Unlock()
	if err := measurement.Write(p.dir, measured); err != nil {
		return err
	}
	p.written = latest
	p.seen, _ = os.Stat(p.measurementsPath())
	return nil
}

// takeEdits takes in what somebody else has put into the file since this run has, as by a git
// pull or by hand. One that cannot be read any more is left as it is.
func (p *probing) takeEdits() error {
	now, err := os.Stat(p.measurementsPath())
	if err != nil || sameVersion(now, p.seen) {
		return nil // nobody; or there is none, and all that is known is written anew
	}
	edited, err := measurement.Read(p.dir)
	if err != nil {
		return fmt.Errorf("somebody has changed the file meanwhile, and it is left as it is: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = measurement.Merge(edited, p.results)
	return nil
}

// sameVersion says whether a file is as it was.
func sameVersion(now, before fs.FileInfo) bool {
	return before != nil && os.SameFile(now, before) && now.Size() == before.Size() && now.ModTime().Equal(before.ModTime())
}

func (p *probing) recordNode(n measurement.Node) error {
	return p.record(measurement.Measurements{Nodes: []measurement.Node{n}})
}

func (p *probing) recordLink(l measurement.Link) error {
	return p.record(measurement.Measurements{Links: []measurement.Link{l}})
}

// note tells who keeps note of links that they are about to be written.
func (p *probing) note(links []measurement.Link) error {
	if p.noted == nil {
		return nil
	}
	for _, l := range links {
		if err := p.noted(l); err != nil {
			return err
		}
	}
	return nil
}

// recordProfile also drops profiles of what the model file was before: they say nothing
// of the one there is.
func (p *probing) recordProfile(n measurement.Profile) error {
	p.mu.Lock()
	kept := *p.measured // the lists of the one there was may be being written
	kept.Profiles = slices.DeleteFunc(slices.Clone(kept.Profiles), func(o measurement.Profile) bool {
		return o.Node == n.Node && o.Model == n.Model && o.Digest != n.Digest
	})
	p.measured = &kept
	p.mu.Unlock()
	return p.record(measurement.Measurements{Profiles: []measurement.Profile{n}})
}

// sameProfile says whether two profiles are of the same range under the same conditions.
func sameProfile(a, b measurement.Profile) bool {
	return a.Node == b.Node && a.Model == b.Model && a.Digest == b.Digest && a.Dimensions == b.Dimensions &&
		a.Optimization == b.Optimization && a.Threads == b.Threads && a.FirstSegment == b.FirstSegment && a.LastSegment == b.LastSegment
}
