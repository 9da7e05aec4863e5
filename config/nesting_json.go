package config

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// checkJSONNesting is checkNesting for HCL's JSON syntax, in whose strings there
// may be templates.
func checkJSONNesting(path string, src []byte) *hcl.Diagnostic {
	s := jsonScan{path: path, src: src, at: hcl.InitialPos}
	for s.at.Byte < len(src) {
		if diag := s.step(); diag != nil {
			return diag
		}
	}
	return nil
}

// jsonScan goes through a JSON text without asking that it be one: the parser
// tells what is wrong with it.
type jsonScan struct {
	path  string
	src   []byte
	at    hcl.Pos
	depth int
}

func (s *jsonScan) step() *hcl.Diagnostic {
	start := s.at
	switch c := s.src[s.at.Byte]; {
	case c == '"':
		text := s.text()
		return checkTemplateNesting(text, s.from(start))
	case c == '{' || c == '[':
		s.depth++
		s.advance(1)
		if s.depth > maxNesting {
			return tooDeep(s.from(start))
		}
	case c == '}' || c == ']':
		s.depth--
		s.advance(1)
	case c == '-' || c >= '0' && c <= '9':
		rest := s.src[start.Byte:]
		n := len(rest) - len(bytes.TrimLeft(rest, "+-.0123456789eE"))
		s.advance(n)
		if exponentTooLong(string(rest[:n])) {
			return numberOutOfRange(s.from(start))
		}
	default:
		s.advance(1)
	}
	return nil
}

// text passes over a string and gives what it holds.
func (s *jsonScan) text() string {
	end := s.at.Byte + 1
	for end < len(s.src) && s.src[end] != '"' {
		if s.src[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end+1, len(s.src))
	literal := s.src[s.at.Byte:end]
	s.advance(len(literal))
	var text string
	if json.Unmarshal(literal, &text) != nil {
		return "" // the parser refuses it
	}
	return text
}

func (s *jsonScan) advance(n int) {
	for _, c := range s.src[s.at.Byte : s.at.Byte+n] {
		s.at.Byte++
		s.at.Column++
		if c == '\n' {
			s.at.Line, s.at.Column = s.at.Line+1, 1
		}
	}
}

func (s *jsonScan) from(start hcl.Pos) *hcl.Range {
	return &hcl.Range{Filename: s.path, Start: start, End: s.at}
}

func checkTemplateNesting(text string, at *hcl.Range) *hcl.Diagnostic {
	if !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
		return nil
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), at.Filename, hcl.InitialPos)
	diag := countNesting(tokens)
	if diag != nil {
		diag.Subject = at
	}
	return diag
}

// checkTypeNesting bounds a type that JSON has as a text, which the parser of
// expressions reads.
func checkTypeNesting(expr hcl.Expression) *hcl.Diagnostic {
	if !hcljson.IsJSONExpression(expr) {
		return nil
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return nil
	}
	diag := checkNesting("", []byte(v.AsString()))
	if diag != nil {
		diag.Subject = expr.Range().Ptr()
	}
	return diag
}
