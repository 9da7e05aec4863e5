package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoFolder(t *testing.T) {
	c, diags := Load(filepath.Join(t.TempDir(), "gone"), Options{})
	if c == nil || len(diags) != 1 || diags[0].Summary != "Configuration folder cannot be read" {
		t.Errorf("%v %v", c, diags)
	}
	if outputs, diags := c.EvalOutputs(nil); outputs != nil || diags != nil {
		t.Errorf("a Config without a folder has outputs: %v %v", outputs, diags)
	}
}

// TestNesting repeats what makes a parser or an evaluation recurse. Without the
// bound, enough of any of these ends the program.
func TestNesting(t *testing.T) {
	const times = 10_000
	for _, piece := range []string{"(", "[", "{a=", "!", "-", "1+", "a?b:", "a?\nb:\n", "f(", `"${`, "a[b]", "{for k in a:k=>", "a[*]"} {
		source := "locals {\n  x = (" + strings.Repeat(piece, times) + "\n}\n"
		_, diags := load(t, source, Options{})
		if len(diags) != 1 || diags[0].Summary != "Expression nested too deeply" {
			t.Errorf("%q gave %d diagnostics: %.200v", piece, len(diags), diags)
		}
	}
	deep := fmt.Sprintf("variable \"v\" {\n type = list(string)\n default = %s%s\n}\n", strings.Repeat("[", 5000), strings.Repeat("]", 5000))
	if _, diags := load(t, deep, Options{}); len(diags) != 1 {
		t.Errorf("%v", diags)
	}
}

// TestLongIsNotDeep holds large but flat texts for sound.
func TestLongIsNotDeep(t *testing.T) {
	negative := strings.Repeat("-1, ", 1500)
	lines := strings.Repeat("    a = -1 + 2 * 3\n", 1)
	var locals strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&locals, "  l%d = -1 + [1][0]\n", i)
	}
	mustLoad(t, "locals {\n  numbers = ["+negative+"]\n  object = {\n"+lines+"  }\n  text = <<-EOT\n"+
		strings.Repeat("    ${1}-${2}\n", 1500)+"  EOT\n"+locals.String()+"}\n")
}

func TestNearest(t *testing.T) {
	candidates := []string{`node.pi["gate"]`, `node.pi["hall"]`, "node.hub"}
	for given, want := range map[string]string{
		`node.pi["gat"]`: `node.pi["gate"]`, "node.hubb": "node.hub", "NODE.HUB": "node.hub", "zebra": "", "": "",
	} {
		if got := nearest(given, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", given, got, want)
		}
	}
}
