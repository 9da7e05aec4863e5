package config

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// maxFormatRounds bounds how often a text is formatted until it stays as it is:
// hclwrite moves some comments in steps.
const maxFormatRounds = 10

// Formattable says whether a file of a folder is one that Format is for:
// configuration and variables in HCL's native syntax, but no hidden file.
func Formattable(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, Extension) || strings.HasSuffix(name, ".vars.hcl"))
}

// Format gives a file its canonical layout. Only space between tokens changes,
// and formatting the result again changes nothing. What cannot be parsed is an
// error.
func Format(path string, src []byte) ([]byte, hcl.Diagnostics) {
	l := newLoader(".")
	l.config.Sources[path] = &hcl.File{Bytes: src}
	if !l.sound(path, src) {
		return nil, l.finish()
	}
	formatted := src
	for range maxFormatRounds {
		next := hclwrite.Format(formatted)
		if bytes.Equal(next, formatted) {
			break
		}
		formatted = next
	}
	if !bytes.Equal(hclwrite.Format(formatted), formatted) || !sameTokens(src, formatted) {
		at := &hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
		return nil, hcl.Diagnostics{newError(at, "File cannot be formatted",
			"The formatter would change more than the space in this file, so it stays as it is. Please report this with the file.")}
	}
	return formatted, nil
}

// sound reports what keeps a text from being parsed.
func (l *loader) sound(path string, src []byte) bool {
	if at := conflictMarker(path, src); at != nil {
		l.add(conflict(at))
		return false
	}
	if diag := checkNesting(path, src); diag != nil {
		l.add(diag)
		return false
	}
	_, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	for _, diag := range diags {
		explainSyntax(diag, src)
	}
	l.add(diags...)
	return !diags.HasErrors()
}

// sameTokens says whether two texts differ in nothing but space.
func sameTokens(a, b []byte) bool {
	return slices.EqualFunc(significant(a), significant(b), func(a, b hclsyntax.Token) bool {
		return a.Type == b.Type && bytes.Equal(bytes.TrimSpace(a.Bytes), bytes.TrimSpace(b.Bytes))
	})
}

func significant(src []byte) hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	return slices.DeleteFunc(tokens, func(t hclsyntax.Token) bool { return t.Type == hclsyntax.TokenNewline })
}
