package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad reads any text as the one file of a folder: no panic, every error
// has a summary, and the same text gives the same diagnostics.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	for _, file := range txtar.Parse([]byte(sketch)).Files {
		f.Add(file.Data)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, source []byte) {
		if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), source, 0o644); err != nil {
			t.Fatal(err)
		}
		c, diags := Load(dir, Options{Version: "0.1.0"})
		for _, d := range diags {
			if d.Summary == "" {
				t.Errorf("no summary: %v", d)
			}
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
	})
}
