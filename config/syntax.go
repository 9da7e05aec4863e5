package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

// maxFileBytes bounds a configuration file; measured links belong in a CSV file.
const maxFileBytes = 16 << 20

// maxSyntaxFaults of a file are told: a file that is no text at all has one a byte.
const maxSyntaxFaults = 30

// parse reads one file, in HCL's native syntax or in JSON, and keeps it among the sources.
func (l *loader) parse(path string) (*hcl.File, bool) {
	src, err := readRegular(path, maxFileBytes)
	if err != nil {
		l.fault(nil, "File cannot be read", "%v. Make it readable, or remove it.", err)
		return nil, false
	}
	l.config.Sources[path] = &hcl.File{Bytes: src}
	if at := conflictMarker(path, src); at != nil {
		l.add(conflict(at))
		return nil, false
	}
	if diag := nestingOf(path)(path, src); diag != nil {
		l.add(diag)
		return nil, false
	}
	file, diags := parserOf(path)(src, path)
	for _, diag := range diags {
		explainSyntax(diag, src)
	}
	l.add(diags[:min(len(diags), maxSyntaxFaults)]...)
	if more := len(diags) - maxSyntaxFaults; more > 0 {
		l.fault(nil, "More is wrong", "%s has %d more syntax errors. Most follow from the first ones: mend these first.", path, more)
	}
	if file != nil {
		l.config.Sources[path] = file
	}
	return file, !diags.HasErrors()
}

// unquotedAmount is a number with a unit at the end of a text, and after it what
// the parser did not understand.
var unquotedAmount = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) ?$`)

// explainSyntax says how to write an amount: without quotes it is a number and
// something else.
func explainSyntax(d *hcl.Diagnostic, src []byte) {
	if d.Summary != "Missing newline after argument" || d.Subject == nil || !d.Subject.CanSliceBytes(src) {
		return
	}
	number := unquotedAmount.FindSubmatch(src[max(0, d.Subject.Start.Byte-64):d.Subject.Start.Byte])
	if unit := d.Subject.SliceBytes(src); number != nil && hclsyntax.ValidIdentifier(string(unit)) {
		d.Detail = fmt.Sprintf("An amount with a unit stands in quotes: write \"%s%s\".", number[1], unit)
	}
}

// isJSON says in which of HCL's two syntaxes a file is.
func isJSON(path string) bool { return strings.HasSuffix(path, ".json") }

func parserOf(path string) func([]byte, string) (*hcl.File, hcl.Diagnostics) {
	if isJSON(path) {
		return hcljson.Parse
	}
	return func(src []byte, path string) (*hcl.File, hcl.Diagnostics) {
		return hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	}
}

func nestingOf(path string) func(string, []byte) *hcl.Diagnostic {
	if isJSON(path) {
		return checkJSONNesting
	}
	return checkNesting
}

func conflict(at *hcl.Range) *hcl.Diagnostic {
	return newError(at, "Merge conflict in a file",
		"A merge left both versions here, between the lines that begin with <<<<<<< and >>>>>>>. Keep the lines you want and delete the markers.")
}

// conflictMarker is where the first merge conflict begins, or nil. A file that
// parses has none: the markers may stand in the text of a heredoc.
func conflictMarker(path string, src []byte) *hcl.Range {
	if !bytes.Contains(src, []byte("<<<<<<< ")) || !bytes.Contains(src, []byte("\n>>>>>>> ")) {
		return nil
	}
	if nestingOf(path)(path, src) == nil {
		if _, diags := parserOf(path)(src, path); !diags.HasErrors() {
			return nil
		}
	}
	offset := 0
	for i, line := range strings.SplitAfter(string(src), "\n") {
		if strings.HasPrefix(line, "<<<<<<< ") {
			return &hcl.Range{
				Filename: path,
				Start:    hcl.Pos{Line: i + 1, Column: 1, Byte: offset},
				End:      hcl.Pos{Line: i + 1, Column: 8, Byte: offset + 7},
			}
		}
		offset += len(line)
	}
	return nil
}
