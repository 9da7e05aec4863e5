package config

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// Origin is where a figure comes from.
type Origin string

// The origins. An amount whose fault was reported has none of them.
const (
	Declared Origin = "declared" // written in the configuration
	Measured Origin = "measured" // by `edgeplan probe`
	Lacking  Origin = "lacking"  // neither
)

// readMeasurements reads the file of measurements of the folder. What is wrong with it
// is told where measurements are needed: much works without them.
func (l *loader) readMeasurements() {
	path := filepath.Join(l.config.Dir, measurement.FileName)
	l.config.Measured = measurement.NewIndex(&measurement.Measurements{})
	src, err := measurement.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.config.unread = hcl.Diagnostics{newError(nil, unreadMeasurements, "%v.", err)}
		return
	}
	l.config.Sources[path] = &hcl.File{Bytes: src}
	m, err := measurement.Decode(path, src)
	if err != nil {
		l.config.unread = faultsOf(path, err)
		return
	}
	l.config.Measured = measurement.NewIndex(m)
}

const unreadMeasurements = "Measurements cannot be read"

// faultsOf are the faults of a file of measurements, each at its place.
func faultsOf(path string, err error) hcl.Diagnostics {
	var faults *measurement.Faults
	if !errors.As(err, &faults) {
		return hcl.Diagnostics{newError(nil, unreadMeasurements, "%v.", err)}
	}
	var diags hcl.Diagnostics
	for _, f := range faults.All {
		at := hcl.Pos{Line: f.Line, Column: f.Column, Byte: f.Offset}
		diags = append(diags, newError(&hcl.Range{Filename: path, Start: at, End: at}, unreadMeasurements, "%s %s.",
			cmp.Or(f.Path, "The file"), strings.TrimSuffix(f.Problem, ".")))
	}
	if faults.More > 0 {
		diags = append(diags, newError(nil, unreadMeasurements, "%s has %d more faults like these. Correct the first ones and run again.", path, faults.More))
	}
	return diags
}

// written is where an amount stands in the configuration; nil where it is measured, and
// where its value is sensitive and so is not shown.
type written *hcl.Range

// orMeasured reads an amount that may be left out where it was measured; measured is 0
// where it was not.
func orMeasured[T int64 | float64 | time.Duration](r *reader, name string, parse parser[T], measured T, text func(T) string) (T, Origin, written) {
	v, ok := positive(r, name, parse)
	switch {
	case ok:
		if a := r.argument(name); !a.sensitive {
			return v, Declared, a.at
		}
		return v, Declared, nil
	case !isAbsent(r, name):
		return 0, "", nil
	case measured > 0:
		r.seen[name] = cty.StringVal(text(measured))
		return measured, Measured, nil
	}
	return 0, Lacking, nil
}
