package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// readMeasurements reads the file of the folder; without one there are none.
func readMeasurements(path string) (*measurement.Measurements, error) {
	m := &measurement.Measurements{FormatVersion: measurement.FormatVersion}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.FormatVersion != measurement.FormatVersion {
		return nil, fmt.Errorf("%s has format version %d, and this edgeplan reads %d", path, m.FormatVersion, measurement.FormatVersion)
	}
	return m, nil
}

// record changes what is measured and writes it, whole or not at all.
func (p *probing) record(change func(m *measurement.Measurements)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p.measured)
	text, err := measurement.Encode(p.measured)
	if err != nil {
		return err
	}
	return writeWhole(p.measurementsPath(), text, 0o644)
}

// put replaces the element that is about the same, or adds one.
func put[T any](list *[]T, same func(T) bool, element T) {
	for i := range *list {
		if same((*list)[i]) {
			(*list)[i] = element
			return
		}
	}
	*list = append(*list, element)
}

func (p *probing) recordNode(n measurement.Node) error {
	return p.record(func(m *measurement.Measurements) {
		put(&m.Nodes, func(o measurement.Node) bool { return o.Node == n.Node }, n)
	})
}

func (p *probing) recordLink(l measurement.Link) error {
	return p.record(func(m *measurement.Measurements) {
		put(&m.Links, func(o measurement.Link) bool { return o.From == l.From && o.To == l.To }, l)
	})
}

func (p *probing) recordProfile(n measurement.Profile) error {
	return p.record(func(m *measurement.Measurements) {
		put(&m.Profiles, func(o measurement.Profile) bool { return sameProfile(o, n) }, n)
	})
}

// sameProfile says whether two profiles are of the same range under the same conditions.
func sameProfile(a, b measurement.Profile) bool {
	return a.Node == b.Node && a.Model == b.Model && a.Digest == b.Digest && a.Optimization == b.Optimization &&
		a.Threads == b.Threads && a.FirstSegment == b.FirstSegment && a.LastSegment == b.LastSegment
}
