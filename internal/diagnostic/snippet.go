// Package diagnostic shows HCL diagnostics to people and to programs: as text with
// the source underlined, and as JSON in the shape that Terraform gives it.
package diagnostic

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// maxLines of source are shown of one diagnostic.
const maxLines = 6

// hidden says that the source of a diagnostic is not to be shown.
type hidden struct{}

// HideSource keeps the source lines of a diagnostic to itself: they hold a
// sensitive value. The place is still told.
func HideSource(d *hcl.Diagnostic) *hcl.Diagnostic {
	d.Extra = hidden{}
	return d
}

// Snippet is the source that a diagnostic is about.
type Snippet struct {
	Context    string // `node "pi"`, or "" outside of blocks
	Code       string // whole lines, joined by line ends
	StartLine  int    // of Code, counted from 1
	Start, End int    // byte offsets in Code of what to underline
	Values     []Value
}

// snippetOf is nil for a diagnostic without a place, or whose source is not there
// or may not be shown.
func snippetOf(d *hcl.Diagnostic, files map[string]*hcl.File) *Snippet {
	if d.Subject == nil {
		return nil
	}
	file := files[d.Subject.Filename]
	_, hide := hcl.DiagnosticExtra[hidden](d)
	if file == nil || file.Bytes == nil || hide {
		return nil
	}
	s := &Snippet{StartLine: d.Subject.Start.Line, Context: contextOf(file, d.Subject.Start.Byte), Values: valuesOf(d)}
	src := file.Bytes
	from := min(max(0, d.Subject.Start.Byte), len(src))
	to := min(max(from, d.Subject.End.Byte), len(src))
	first := bytes.LastIndexByte(src[:from], '\n') + 1
	last := len(src)
	if i := bytes.IndexByte(src[to:], '\n'); i >= 0 {
		last = to + i
	}
	if to > from && src[to-1] == '\n' {
		last = to - 1 // the range ends with its line
	}
	code, cut := firstLines(string(src[first:last]))
	s.Code = strings.TrimSuffix(code, "\r")
	s.Start = min(from-first, len(s.Code))
	s.End = min(max(to-first, s.Start), len(s.Code))
	if cut {
		s.End = len(s.Code)
	}
	return s
}

// firstLines cuts what is too long to be shown.
func firstLines(code string) (string, bool) {
	lines := strings.SplitAfterN(code, "\n", maxLines+1)
	if len(lines) <= maxLines {
		return code, false
	}
	return strings.TrimSuffix(strings.Join(lines[:maxLines], ""), "\n"), true
}

// contextOf names the block around a place.
func contextOf(file *hcl.File, offset int) string {
	if nav, ok := file.Nav.(interface{ ContextString(offset int) string }); ok {
		return nav.ContextString(offset)
	}
	return ""
}
