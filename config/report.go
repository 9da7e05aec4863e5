package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// report collects diagnostics.
type report struct {
	diags hcl.Diagnostics
	// unknown are values that cannot be known here. Most follow from a fault
	// already told, so they are told only when there is no other.
	unknown hcl.Diagnostics
	// partial says that there are variables without a value, which may be why.
	partial bool
}

func (r *report) add(diags ...*hcl.Diagnostic) { r.diags = append(r.diags, diags...) }

// fault adds an error. The format is that of the detail.
func (r *report) fault(at *hcl.Range, summary, format string, args ...any) {
	r.add(newError(at, summary, format, args...))
}

func (r *report) warn(at *hcl.Range, summary, format string, args ...any) {
	d := newError(at, summary, format, args...)
	d.Severity = hcl.DiagWarning
	r.add(d)
}

func newError(at *hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: at}
}

// errorsOf leaves out warnings.
func errorsOf(diags hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity != hcl.DiagError })
}

// finish gives every diagnostic once, in order of file, line and column; those
// without a place come first. One fault of a block with for_each shows once.
func (r *report) finish() hcl.Diagnostics {
	diags := r.diags
	if !diags.HasErrors() && !r.partial {
		diags = append(diags, r.unknown...)
	}
	slices.SortStableFunc(diags, compareDiagnostics)
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool { return compareDiagnostics(a, b) == 0 })
}

func compareDiagnostics(a, b *hcl.Diagnostic) int {
	return cmp.Or(
		compareRanges(a.Subject, b.Subject),
		cmp.Compare(a.Severity, b.Severity),
		cmp.Compare(a.Summary, b.Summary),
		cmp.Compare(a.Detail, b.Detail),
	)
}

func compareRanges(a, b *hcl.Range) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.Filename, b.Filename),
		cmp.Compare(a.Start.Byte, b.Start.Byte),
		cmp.Compare(a.End.Byte, b.End.Byte),
	)
}
