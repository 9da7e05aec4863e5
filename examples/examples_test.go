// Package examples holds configurations to start from. Each is a test: it must
// plan, and its model must be what the builder makes.
package examples

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/statefile"
)

var update = flag.Bool("update", false, "write the example models anew")

// three-pis is small enough to be copied anywhere and describes all its
// tensors, so that planning needs no engine for it.
const (
	classifier    = "three-pis/classifier.onnx"
	classifierMax = 200_000 // bytes
)

func TestClassifierIsTheBuilders(t *testing.T) {
	model, err := modelbuilder.ResNet(3, modelbuilder.Small())
	if err != nil {
		t.Fatal(err)
	}
	want, err := model.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(classifier, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(classifier)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the builder makes: go test ./examples -update", classifier)
	}
	if len(got) > classifierMax {
		t.Errorf("%s has %d bytes, more than %d", classifier, len(got), classifierMax)
	}
}

func TestExamplesPlan(t *testing.T) {
	files, err := filepath.Glob("*/main.edgeplan.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples found (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Dir(file), func(t *testing.T) { planExample(t, filepath.Dir(file)) })
	}
}

func planExample(t *testing.T, dir string) {
	cfg, diags := config.Load(dir, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	program := plan.Program{Path: file(t), Digest: "program", Size: 7}
	in := plan.Input{
		Config:  cfg,
		Chains:  map[string]*onnx.Chain{},
		Workers: map[string]plan.Program{"linux/arm64": program, "linux/amd64": program},
		Engines: map[string]plan.Program{"linux/arm64": program, "linux/amd64": program},
		Prior:   statefile.New(),
	}
	for _, model := range cfg.Models {
		chain, err := onnx.Load(context.Background(), model.Source, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in.Chains[model.Name] = chain
	}
	p, diags := plan.Build(context.Background(), in)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, m := range p.Models {
		if m.Status != solver.Optimal || len(m.Stages) < 2 {
			t.Errorf("model %s: %d stages, %s; an example shows a pipeline, proven optimal", m.Name, len(m.Stages), m.Status)
		}
	}
}

func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("program"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExamplesAreFormatted holds them to the layout that fmt gives.
func TestExamplesAreFormatted(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !config.Formattable(entry.Name()) {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if formatted, diags := config.Format(path, src); diags.HasErrors() || !bytes.Equal(formatted, src) {
			t.Errorf("%s is not formatted: edgeplan fmt -recursive examples (%v)", path, diags)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
