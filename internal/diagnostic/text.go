package diagnostic

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/mitchellh/go-wordwrap"
)

// Text is how diagnostics are printed.
type Text struct {
	Width uint // columns of the terminal; 0 breaks no line
	Color bool
}

// SGR parameters.
const (
	red    = "31"
	yellow = "33"
	bold   = "1"
)

// Write prints every diagnostic: summary, place, source with an underline, values,
// detail. The files are the sources by the names in the diagnostics.
func (t Text) Write(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File) error {
	var b bytes.Buffer
	for _, d := range diags {
		t.writeOne(&b, d, files)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (t Text) writeOne(b *bytes.Buffer, d *hcl.Diagnostic, files map[string]*hcl.File) {
	severity, color := "Error", red
	if d.Severity == hcl.DiagWarning {
		severity, color = "Warning", yellow
	}
	fmt.Fprintf(b, "%s %s\n\n", t.paint(color, severity+":"), t.paint(bold, printable(d.Summary)))
	t.writePlace(b, d, snippetOf(d, files), color)
	if d.Detail != "" {
		fmt.Fprintf(b, "%s\n\n", t.wrap(printable(d.Detail)))
	}
}

func (t Text) writePlace(b *bytes.Buffer, d *hcl.Diagnostic, s *Snippet, color string) {
	if d.Subject == nil {
		return
	}
	fmt.Fprintf(b, "  on %s line %d", printable(d.Subject.Filename), d.Subject.Start.Line)
	if s == nil {
		b.WriteString(":\n\n")
		return
	}
	if s.Context != "" {
		fmt.Fprintf(b, ", in %s", printable(s.Context))
	}
	b.WriteString(":\n")
	t.writeCode(b, s, color)
	for _, v := range s.Values {
		fmt.Fprintf(b, "      %s %s\n", printable(v.Traversal), printable(v.Statement))
	}
	b.WriteString("\n")
}

// writeCode prints the lines of a snippet, each with what is meant underlined.
func (t Text) writeCode(b *bytes.Buffer, s *Snippet, color string) {
	offset := 0
	for i, line := range strings.SplitAfter(s.Code, "\n") {
		text := strings.TrimRight(line, "\r\n")
		fmt.Fprintf(b, "%4d: %s\n", s.StartLine+i, printable(text))
		from := min(max(s.Start-offset, 0), len(text))
		to := min(max(s.End-offset, 0), len(text))
		if s.Start == s.End && i == 0 {
			to = from + 1 // a place between two characters
		}
		if mark := underline(text, from, to); mark != "" {
			blank, carets, _ := strings.Cut(mark, "^")
			fmt.Fprintf(b, "      %s%s\n", blank, t.paint(color, "^"+carets))
		}
		offset += len(line)
	}
}

// underline is what stands under a line: carets from one byte to another, below
// the text whatever tabs and wide characters come before.
func underline(text string, from, to int) string {
	for from < to && from < len(text) && (text[from] == ' ' || text[from] == '\t') {
		from++
	}
	if from >= to {
		return ""
	}
	var b strings.Builder
	for _, r := range text[:from] {
		if r == '\t' {
			b.WriteByte('\t')
			continue
		}
		b.WriteString(strings.Repeat(" ", columns(r)))
	}
	n := 0
	for _, r := range text[from:min(to, len(text))] {
		n += columns(r)
	}
	return b.String() + strings.Repeat("^", max(1, n))
}

// columns that a character takes in a terminal. Combining marks take none.
func columns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}

// printable replaces what would move a terminal's cursor or change its colours.
func printable(text string) string {
	if !strings.ContainsFunc(text, isControl) && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

func (t Text) wrap(text string) string {
	if t.Width == 0 {
		return text
	}
	return wordwrap.WrapString(text, t.Width)
}

func (t Text) paint(sgr, text string) string {
	if !t.Color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}
