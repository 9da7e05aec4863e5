package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/edgeplan/edgeplan/internal/diagnostic"
)

var update = flag.Bool("update", false, "write what is found into testdata")

// folder writes the files of an archive into a new folder.
func folder(t testing.TB, files []txtar.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads one file named main.edgeplan.hcl beside an empty model.onnx.
func load(t testing.TB, source string, o Options) (*Config, hcl.Diagnostics) {
	t.Helper()
	return Load(folder(t, []txtar.File{
		{Name: "main.edgeplan.hcl", Data: []byte(source)},
		{Name: "model.onnx"},
	}), o)
}

// mustLoad fails the test on any diagnostic.
func mustLoad(t testing.TB, source string) *Config {
	t.Helper()
	c, diags := load(t, source, Options{})
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", describeAll(c.Dir, diags))
	}
	return c
}

// describeAll writes each diagnostic as severity, place, summary and detail.
func describeAll(dir string, diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		severity, place := "error", "-"
		if d.Severity == hcl.DiagWarning {
			severity = "warning"
		}
		if d.Subject != nil {
			place = d.Subject.String()
		}
		fmt.Fprintf(&b, "%s: %s: %s\n  %s\n", severity, place, d.Summary, strings.ReplaceAll(d.Detail, "\n", "\n  "))
	}
	text := strings.ReplaceAll(b.String(), dir+string(filepath.Separator), "")
	return strings.ReplaceAll(text, dir, "DIR")
}

// faultArchives are the archives of testdata/faults by path.
func faultArchives(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	paths, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	archives := map[string]*txtar.Archive{}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		archives[path] = archive
	}
	return archives
}

// TestFaults holds every archive of testdata/faults against the diagnostics it
// should give. The comment of an archive says what is wrong; a line
// "var: name=value" is a -var, "env: NAME=value" the environment.
func TestFaults(t *testing.T) {
	for path, archive := range faultArchives(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Setenv("HOME", "/home/operator")
			want := archive.Files[len(archive.Files)-1]
			if want.Name != "want" {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				want = txtar.File{}
			}
			dir := folder(t, archive.Files[:len(archive.Files)-1])
			c, diags := Load(dir, archiveOptions(dir, string(archive.Comment)))
			if c == nil {
				t.Fatal("the Config is nil")
			}
			checkPlaces(t, c, diags)
			got := describeAll(dir, diags)
			if *update {
				archive.Files[len(archive.Files)-1].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

func archiveOptions(dir, comment string) Options {
	o := Options{Version: "0.1.0"}
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "var: "); ok {
			name, value, _ := strings.Cut(text, "=")
			o.Variables = append(o.Variables, VariableInput{Name: name, Value: value})
		}
		if name, ok := strings.CutPrefix(line, "var-file: "); ok {
			o.Variables = append(o.Variables, VariableInput{File: filepath.Join(dir, name)})
		}
		if text, ok := strings.CutPrefix(line, "env: "); ok {
			o.Environment = append(o.Environment, text)
		}
	}
	return o
}

// checkPlaces holds what every diagnostic promises: a summary, a detail, and a
// place in a file whose text is among the sources.
func checkPlaces(t *testing.T, c *Config, diags hcl.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		if d.Summary == "" || d.Detail == "" {
			t.Errorf("no summary or detail: %v", d)
		}
		if d.Subject != nil && c.Sources[d.Subject.Filename] == nil {
			t.Errorf("%s is not among the sources", d.Subject.Filename)
		}
	}
	var text strings.Builder
	if err := (diagnostic.Text{Width: 80}).Write(&text, diags, c.Sources); err != nil {
		t.Errorf("diagnostics cannot be written: %v", err)
	}
	if err := diagnostic.NewResult(diags, c.Sources).Write(&text); err != nil {
		t.Errorf("diagnostics cannot be written as JSON: %v", err)
	}
	if strings.Contains(text.String(), "hunter2") {
		t.Errorf("a sensitive value is shown:\n%s", text.String())
	}
}
