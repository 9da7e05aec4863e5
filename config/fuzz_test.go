package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/edgeplan/edgeplan/internal/diagnostic"
)

// FuzzLoad reads any text as a file of a folder, in HCL or JSON, and another one
// as that of a module in it: no panic, every error has a summary and can be
// printed, and the same text gives the same diagnostics.
func FuzzLoad(f *testing.F) {
	for _, archive := range faultArchives(f) {
		addSeed(f, archive.Files)
	}
	addSeed(f, txtar.Parse([]byte(sketch)).Files)
	addSeed(f, txtar.Parse([]byte(twoSites)).Files)
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "site"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source, inner []byte, asJSON bool) {
		loadTwice(t, dir, source, inner, asJSON)
	})
}

func addSeed(f *testing.F, files []txtar.File) {
	inner := []byte("variable \"memory\" {\n}\noutput \"uplink\" {\n  value = var.memory\n}\n")
	for _, file := range files {
		if strings.Contains(file.Name, "/") && strings.HasSuffix(file.Name, Extension) {
			inner = file.Data
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name, Extension) || strings.HasSuffix(file.Name, JSONExtension) {
			f.Add(file.Data, inner, strings.HasSuffix(file.Name, JSONExtension))
		}
	}
}

func loadTwice(t *testing.T, dir string, source, inner []byte, asJSON bool) {
	for name, content := range map[string][]byte{"main" + Extension: source, "main" + JSONExtension: source, "site/main" + Extension: inner} {
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if name == "main"+Extension && asJSON || name == "main"+JSONExtension && !asJSON {
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, diags := Load(dir, Options{Version: "0.1.0"})
	for _, d := range diags {
		if d.Summary == "" {
			t.Errorf("no summary: %v", d)
		}
	}
	var text strings.Builder
	if err := (diagnostic.Text{Width: 80}).Write(&text, diags, c.Sources); err != nil {
		t.Error(err)
	}
	if err := diagnostic.NewResult(diags, c.Sources).Write(&text); err != nil {
		t.Error(err)
	}
	if !diags.HasErrors() {
		if _, diags := c.EvalOutputs(map[string]ModelResult{"m": {Throughput: 1}}); diags == nil {
			return
		}
	}
	_, again := Load(dir, Options{Version: "0.1.0"})
	if first, second := describeAll(dir, diags), describeAll(dir, again); first != second {
		t.Errorf("first:\n%s\nthen:\n%s", first, second)
	}
}
