package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

const referencePage = "../docs/language.md"

var (
	codeBlock   = regexp.MustCompile("(?ms)^```(hcl|json|csv)( [^\n]+)?\n(.*?)^```$")
	functionRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]*)` \\|$")
	amountRow   = regexp.MustCompile("(?m)^\\| (memory|bandwidth|time|compute|share) \\| (.+?) \\| `([^`]+)` \\| ([0-9.]+)[^|]* \\|$")
)

// documented is the configuration that the reference's examples make together.
func documented(t *testing.T, text string) []txtar.File {
	t.Helper()
	files := map[string]string{"motd.txt": "hello\n", "hello.txt": "hello ${upper(who)}", "models/resnet50.onnx": ""}
	for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
		name := strings.TrimSpace(block[2])
		switch {
		case name != "":
		case block[1] == "csv":
			name = "links.csv"
		default:
			name = "main.edgeplan." + block[1]
		}
		files[name] += block[3] + "\n"
	}
	var all []txtar.File
	for name, content := range files {
		all = append(all, txtar.File{Name: name, Data: []byte(content)})
	}
	return all
}

// TestReference reads the examples of the reference, computes its tables, and
// asks that it names every block, argument and function.
func TestReference(t *testing.T) {
	raw, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	files := documented(t, text)
	c, diags := Load(folder(t, files), Options{Version: "0.1.0"})
	if len(diags) > 0 {
		t.Fatal(describeAll(c.Dir, diags))
	}
	if len(c.Nodes) != 12 || len(c.Models) != 1 {
		t.Errorf("%d nodes and %d models", len(c.Nodes), len(c.Models))
	}
	text = checkFunctionRows(t, text, files)
	if *update {
		if err := os.WriteFile(referencePage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	checkAmountRows(t, text)
	checkNames(t, text)
}

func checkFunctionRows(t *testing.T, text string, files []txtar.File) string {
	t.Helper()
	return functionRow.ReplaceAllStringFunc(text, func(row string) string {
		match := functionRow.FindStringSubmatch(row)
		expression := strings.ReplaceAll(match[1], `\|`, "|")
		if !strings.Contains(expression, "(") {
			return row
		}
		probe := "output \"documented\" {\n  value = jsonencode(nonsensitive(" + expression + "))\n}\n"
		c, diags := Load(folder(t, append(slices.Clone(files), txtar.File{Name: "probe.edgeplan.hcl", Data: []byte(probe)})), Options{})
		outputs, _ := c.EvalOutputs(nil)
		i := slices.IndexFunc(outputs, func(o Output) bool { return o.Name == "documented" })
		if len(diags) > 0 || i < 0 {
			t.Errorf("%s: %v", expression, diags)
			return row
		}
		got := outputs[i].Value.AsString()
		if got != match[2] && !*update {
			t.Errorf("%s = %s, and the reference says %s", expression, got, match[2])
		}
		return fmt.Sprintf("| `%s` | `%s` |", match[1], got)
	})
}

func checkAmountRows(t *testing.T, text string) {
	t.Helper()
	rows := amountRow.FindAllStringSubmatch(text, -1)
	if len(rows) != 5 {
		t.Fatalf("%d kinds of amounts", len(rows))
	}
	read := map[string]func(string) (string, error){
		"memory":    func(s string) (string, error) { n, err := quantity.ParseBytes(s); return fmt.Sprint(n), err },
		"bandwidth": func(s string) (string, error) { n, err := quantity.ParseBandwidth(s); return fmt.Sprint(int64(n)), err },
		"time":      func(s string) (string, error) { n, err := quantity.ParseDuration(s); return fmt.Sprint(int64(n)), err },
		"compute":   func(s string) (string, error) { n, err := quantity.ParseCompute(s); return fmt.Sprint(int64(n)), err },
		"share":     func(s string) (string, error) { n, err := quantity.ParsePercent(s); return fmt.Sprint(n), err },
	}
	for _, row := range rows {
		if got, err := read[row[1]](row[3]); err != nil || got != row[4] {
			t.Errorf("%s is %s (%v), and the reference says %s", row[3], got, err, row[4])
		}
		for _, unit := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			if _, err := read[row[1]]("8" + unit[1]); err != nil {
				t.Errorf("the reference names a unit of %s that does not exist: %v", row[1], err)
			}
		}
	}
}

// checkNames asks for each name in code style.
func checkNames(t *testing.T, text string) {
	t.Helper()
	var names []string
	for _, block := range rootShape().blocks {
		names = append(names, block.Type)
		s := shapeOf(block.Type)
		for _, inner := range s.blocks {
			names = append(names, inner.Type)
			names = append(names, shapeOf(inner.Type).attributes...)
		}
		names = append(names, s.attributes...)
	}
	for _, name := range names {
		if !regexp.MustCompile("`" + name + "`|### " + name + "\n").MatchString(text) {
			t.Errorf("the reference does not name %s", name)
		}
	}
	for name := range functions(filepath.Dir(referencePage)) {
		if !regexp.MustCompile("`[^`]*\\b" + name + "\\(").MatchString(text) {
			t.Errorf("the reference has no example of %s(...)", name)
		}
	}
}
