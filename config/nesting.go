package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxNesting bounds brackets in brackets and operators in one expression: the
// parser works by recursion, and a stack overflow cannot be recovered from.
const maxNesting = 1000

// maxExponentDigits of a number: 1e9999 takes milliseconds to write out, and
// larger exponents take seconds and gigabytes.
const maxExponentDigits = 4

// nesting counts how deep a parser, or an evaluation, would recurse.
type nesting struct {
	levels []level
	total  int
}

// level is what stands between one pair of brackets.
type level struct {
	operators int  // since the last element or statement began
	lines     bool // a line end ends a statement
	empty     bool // nothing stands in it yet
}

// checkNesting refuses a text that is nested beyond reason.
func checkNesting(path string, src []byte) *hcl.Diagnostic {
	tokens, _ := hclsyntax.LexConfig(src, path, hcl.InitialPos)
	return countNesting(tokens)
}

func countNesting(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	n := nesting{levels: []level{{lines: true}}}
	for _, token := range tokens {
		n.count(token)
		if n.total > maxNesting {
			return tooDeep(&token.Range)
		}
		if token.Type == hclsyntax.TokenNumberLit && exponentTooLong(string(token.Bytes)) {
			return numberOutOfRange(&token.Range)
		}
	}
	return nil
}

func tooDeep(at *hcl.Range) *hcl.Diagnostic {
	return newError(at, "Expression nested too deeply",
		"More than %d brackets and operators are open here. Split the expression with locals.", maxNesting)
}

func numberOutOfRange(at *hcl.Range) *hcl.Diagnostic {
	return newError(at, "Number out of range", "The exponent of this number is too large. Write a smaller number.")
}

func (n *nesting) count(token hclsyntax.Token) {
	top := &n.levels[len(n.levels)-1]
	if top.empty && token.Type != hclsyntax.TokenNewline && token.Type != hclsyntax.TokenComment {
		top.empty = false
		// Line ends mean nothing in { for ... }.
		top.lines = top.lines && !(token.Type == hclsyntax.TokenIdent && string(token.Bytes) == "for")
	}
	switch token.Type {
	case hclsyntax.TokenOBrace:
		n.open(level{lines: true, empty: true})
	case hclsyntax.TokenOBrack, hclsyntax.TokenTemplateControl:
		n.operator() // a[b][c] and %{ if } recurse beyond their brackets
		n.open(level{})
	case hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
		n.open(level{})
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		n.close()
	case hclsyntax.TokenComma:
		n.reset()
	case hclsyntax.TokenNewline:
		if top.lines {
			n.reset()
		}
	default:
		if isOperator(token.Type) {
			n.operator()
		}
	}
}

func isOperator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenSlash,
		hclsyntax.TokenPercent, hclsyntax.TokenQuestion, hclsyntax.TokenAnd, hclsyntax.TokenOr,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq:
		return true
	}
	return false
}

func (n *nesting) operator() {
	n.levels[len(n.levels)-1].operators++
	n.total++
}

func (n *nesting) open(l level) {
	n.levels = append(n.levels, l)
	n.total++
}

func (n *nesting) close() {
	n.reset()
	if len(n.levels) > 1 {
		n.levels = n.levels[:len(n.levels)-1]
		n.total--
	}
}

func (n *nesting) reset() {
	top := &n.levels[len(n.levels)-1]
	n.total -= top.operators
	top.operators = 0
}

func exponentTooLong(number string) bool {
	i := strings.IndexAny(number, "eE")
	return i >= 0 && len(strings.TrimLeft(number[i+1:], "+-0")) > maxExponentDigits
}
