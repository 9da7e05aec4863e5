package diagnostic

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// FormatVersion of Result, as Terraform counts it.
const FormatVersion = "1.0"

// Result is what `validate -json` prints, in the shape of `terraform validate -json`.
type Result struct {
	FormatVersion string       `json:"format_version"`
	Valid         bool         `json:"valid"`
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
}

// Diagnostic is one error or warning.
type Diagnostic struct {
	Severity string       `json:"severity"` // error or warning
	Summary  string       `json:"summary"`
	Detail   string       `json:"detail"`
	Range    *Range       `json:"range,omitempty"`
	Snippet  *JSONSnippet `json:"snippet,omitempty"`
}

// Range is a part of a file. Its end is the first position after it.
type Range struct {
	Filename string   `json:"filename"`
	Start    Position `json:"start"`
	End      Position `json:"end"`
}

// Position counts lines and columns (of characters as seen) from 1, bytes from 0.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// JSONSnippet is a Snippet as Terraform writes it. The offsets are bytes in code.
type JSONSnippet struct {
	Context              *string `json:"context"`
	Code                 string  `json:"code"`
	StartLine            int     `json:"start_line"`
	HighlightStartOffset int     `json:"highlight_start_offset"`
	HighlightEndOffset   int     `json:"highlight_end_offset"`
	Values               []Value `json:"values"`
}

// NewResult counts and describes diagnostics. The files are the sources by the
// names in the diagnostics.
func NewResult(diags hcl.Diagnostics, files map[string]*hcl.File) Result {
	r := Result{FormatVersion: FormatVersion, Diagnostics: []Diagnostic{}}
	for _, d := range diags {
		described := describe(d, files)
		if described.Severity == "error" {
			r.ErrorCount++
		} else {
			r.WarningCount++
		}
		r.Diagnostics = append(r.Diagnostics, described)
	}
	r.Valid = r.ErrorCount == 0
	return r
}

// Write prints the result as indented JSON and a line end.
func (r Result) Write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

func describe(d *hcl.Diagnostic, files map[string]*hcl.File) Diagnostic {
	described := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		described.Severity = "warning"
	}
	if d.Subject != nil {
		described.Range = &Range{Filename: d.Subject.Filename, Start: Position(d.Subject.Start), End: Position(d.Subject.End)}
	}
	if s := snippetOf(d, files); s != nil {
		described.Snippet = s.json()
	}
	return described
}

func (s *Snippet) json() *JSONSnippet {
	j := &JSONSnippet{
		Code: s.Code, StartLine: s.StartLine,
		HighlightStartOffset: s.Start, HighlightEndOffset: s.End,
		Values: append([]Value{}, s.Values...),
	}
	if !utf8.ValidString(j.Code) {
		j.Code = strings.ToValidUTF8(j.Code, "?")
	}
	if s.Context != "" {
		j.Context = &s.Context
	}
	return j
}
