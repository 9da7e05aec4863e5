package diagnostic

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

// sample is a diagnostic about the first place of a part in a source, with what
// the names of an expression stand for.
func sample(t *testing.T, source, part, expression string, names map[string]cty.Value) (hcl.Diagnostics, map[string]*hcl.File) {
	t.Helper()
	file, _ := hclsyntax.ParseConfig([]byte(source), "f.hcl", hcl.InitialPos)
	start := strings.Index(source, part)
	if start < 0 {
		t.Fatalf("%q has no %q", source, part)
	}
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "It is wrong", Detail: "Write it otherwise.",
		Subject: &hcl.Range{Filename: "f.hcl", Start: position(source, start), End: position(source, start+len(part))},
	}
	if expression != "" {
		expr, diags := hclsyntax.ParseExpression([]byte(expression), "f.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		d.Expression, d.EvalContext = expr, &hcl.EvalContext{Variables: names}
	}
	return hcl.Diagnostics{d}, map[string]*hcl.File{"f.hcl": file}
}

func position(source string, offset int) hcl.Pos {
	before := source[:offset]
	line := strings.Count(before, "\n")
	return hcl.Pos{Line: line + 1, Column: utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1, Byte: offset}
}

func TestText(t *testing.T) {
	names := map[string]cty.Value{
		"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal("hall"), "value": cty.StringVal("hunter2").Mark("sensitive")}),
		"n":    cty.NumberIntVal(3), "list": cty.ListVal([]cty.Value{cty.True}), "gone": cty.NullVal(cty.String),
		"later": cty.UnknownVal(cty.Number), "any": cty.DynamicVal, "object": cty.EmptyObjectVal, "yes": cty.True,
	}
	tests := []struct{ name, source, part, expression, want string }{
		{"an argument", "node \"a\" {\n  memory = 512\n}\n", "512", "", `
  on f.hcl line 2, in node "a":
   2:   memory = 512
                 ^^^
`},
		{"values of names, sensitive ones hidden", "a = 1\n", "1", `"${each.key}${each.value}${n}${list[0]}${gone}${later}${any}" == object && yes && list`, `
  on f.hcl line 1:
   1: a = 1
          ^
      each.key is "hall"
      each.value has a sensitive value
      gone is null
      later is a number, known only after a plan
      list is list of bool with 1 element
      list[0] is true
      n is 3
      object is object with 0 attributes
      yes is true
`},
		{"tabs and wide characters", "a {\n\tb = \"字e\u0301\" + x\n}\n", "x", "", "\n  on f.hcl line 2, in a:\n   2: \tb = \"字e\u0301\" + x\n      \t            ^\n"},
		{"several lines", "a = [\n  1,\n  2,\n]\n", "[\n  1,\n  2,\n]", "", `
  on f.hcl line 1:
   1: a = [
          ^
   2:   1,
        ^^
   3:   2,
        ^^
   4: ]
      ^
`},
		{"a place between characters", "a = 1\n", "", "", `
  on f.hcl line 1:
   1: a = 1
      ^
`},
		{"what moves the cursor", "a = \"\x1b[2J\"\n", "a", "", "\n  on f.hcl line 1:\n   1: a = \"\uFFFD[2J\"\n      ^\n"},
		{"windows line ends", "a = 1\r\nb = 2\r\n", "b = 2\r\n", "", "\n  on f.hcl line 2:\n   2: b = 2\n      ^^^^^\n"},
	}
	for _, test := range tests {
		diags, files := sample(t, test.source, test.part, test.expression, names)
		var got strings.Builder
		if err := (Text{Width: 60}).Write(&got, diags, files); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("Error: It is wrong\n"+test.want+"\nWrite it otherwise.\n\n", got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestLongRange shows the beginning of what has many lines.
func TestLongRange(t *testing.T) {
	source := "a = [\n" + strings.Repeat("  1,\n", 50) + "]\n"
	diags, files := sample(t, source, source[4:len(source)-1], "", nil)
	s := snippetOf(diags[0], files)
	if lines := strings.Count(s.Code, "\n") + 1; lines != maxLines || s.End != len(s.Code) {
		t.Errorf("%d lines, underlined to %d of %d", lines, s.End, len(s.Code))
	}
}

func TestColorAndWidth(t *testing.T) {
	diags, files := sample(t, "a = 1\n", "1", "", nil)
	diags[0].Severity, diags[0].Detail = hcl.DiagWarning, "one two three four"
	var got strings.Builder
	if err := (Text{Width: 9, Color: true}).Write(&got, diags, files); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[33mWarning:\x1b[0m \x1b[1mIt is wrong\x1b[0m\n\n  on f.hcl line 1:\n   1: a = 1\n          \x1b[33m^\x1b[0m\n\none two\nthree\nfour\n\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

// TestHiddenSource tells the place and not the line.
func TestHiddenSource(t *testing.T) {
	diags, files := sample(t, "password = \"hunter2\"\n", "\"hunter2\"", "", nil)
	HideSource(diags[0])
	var got strings.Builder
	if err := (Text{}).Write(&got, diags, files); err != nil {
		t.Fatal(err)
	}
	if err := NewResult(diags, files).Write(&got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.String(), "hunter2") || !strings.Contains(got.String(), "on f.hcl line 1:") || !strings.Contains(got.String(), `"line": 1`) {
		t.Error(got.String())
	}
}

func TestJSON(t *testing.T) {
	diags, files := sample(t, "node \"a\" {\n  memory = x\n}\n", "x", "x", map[string]cty.Value{"x": cty.StringVal("<512>")})
	diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Without a place"})
	var got strings.Builder
	if err := NewResult(diags, files).Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `{
  "format_version": "1.0",
  "valid": false,
  "error_count": 1,
  "warning_count": 1,
  "diagnostics": [
    {
      "severity": "error",
      "summary": "It is wrong",
      "detail": "Write it otherwise.",
      "range": {
        "filename": "f.hcl",
        "start": {
          "line": 2,
          "column": 12,
          "byte": 22
        },
        "end": {
          "line": 2,
          "column": 13,
          "byte": 23
        }
      },
      "snippet": {
        "context": "node \"a\"",
        "code": "  memory = x",
        "start_line": 2,
        "highlight_start_offset": 11,
        "highlight_end_offset": 12,
        "values": [
          {
            "traversal": "x",
            "statement": "is \"<512>\""
          }
        ]
      }
    },
    {
      "severity": "warning",
      "summary": "Without a place",
      "detail": ""
    }
  ]
}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text, err := json.Marshal(NewResult(nil, nil)); err != nil || !strings.Contains(string(text), `"diagnostics":[]`) {
		t.Errorf("%s %v", text, err)
	}
}

// TestAnyRange shows any range of any text, also those that are no ranges of it.
func TestAnyRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.StringOf(rapid.SampledFrom([]rune("a \t\r\n字\u0301\x1b\xff"))).Draw(t, "src")
		pos := rapid.IntRange(-2, len(src)+3)
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "s", Subject: &hcl.Range{
			Filename: "f", Start: hcl.Pos{Line: 1, Byte: pos.Draw(t, "start")}, End: hcl.Pos{Line: 1, Byte: pos.Draw(t, "end")},
		}}
		files := map[string]*hcl.File{"f": {Bytes: []byte(src)}}
		s := snippetOf(d, files)
		if s.Start < 0 || s.Start > s.End || s.End > len(s.Code) || !strings.Contains(src, s.Code) {
			t.Fatalf("%q from %d to %d of %q", s.Code, s.Start, s.End, src)
		}
		var text strings.Builder
		if err := (Text{Width: 20}).Write(&text, hcl.Diagnostics{d}, files); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "\x1b") {
			t.Fatalf("a control character of the source is printed: %q", text.String())
		}
	})
}
