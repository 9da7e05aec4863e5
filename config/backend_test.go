package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
)

// TestBackend reads where the state is kept, with the rest of the configuration
// and without it.
func TestBackend(t *testing.T) {
	source := `
edgeplan {
  backend "s3" {
    bucket         = "states"
    key            = "${"home"}.json"
    use_path_style = true
    retries        = 3
    endpoints      = { s3 = "https://store.local" }
  }
}
`
	full := mustLoad(t, source)
	dir := folder(t, []txtar.File{
		{Name: "a.edgeplan.hcl", Data: []byte("node \"faulty\" {\n  colour = var.undeclared\n}\nedgeplan {\n  required_version = 3 + {}\n}\nnonsense {\n}\n")},
		{Name: "b.edgeplan.hcl", Data: []byte(source)},
	})
	alone, files, diags := LoadBackend(dir)
	if len(diags) > 0 || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), diags)
	}
	for _, b := range []*Backend{full.Settings.Backend, alone} {
		if b.Type != "s3" || b.Range.Start.Line != 3 || b.TypeRange.Start.Column != 11 {
			t.Errorf("backend %q at %v, label at %v", b.Type, b.Range, b.TypeRange)
		}
		var names []string
		for _, a := range b.Attributes {
			names = append(names, a.Name)
		}
		if diff := cmp.Diff([]string{"bucket", "key", "use_path_style", "retries", "endpoints"}, names); diff != "" {
			t.Error(diff)
		}
		key, _ := b.Attribute("key")
		if !key.Value.RawEquals(cty.StringVal("home.json")) || key.Range.Start.Line != 5 || key.NameRange.Start.Column != 5 {
			t.Errorf("key = %#v", key)
		}
		if _, ok := b.Attribute("region"); ok {
			t.Error("an argument that is not written is there")
		}
	}
}

func TestNoBackend(t *testing.T) {
	if b := mustLoad(t, "edgeplan {\n}\n").Settings.Backend; b != nil {
		t.Errorf("%v", b)
	}
	b, _, diags := LoadBackend(folder(t, []txtar.File{{Name: "a.edgeplan.hcl"}}))
	if b != nil || len(diags) > 0 {
		t.Errorf("%v %v", b, diags)
	}
}

// TestBackendFaults are told by LoadBackend as they are by Load.
func TestBackendFaults(t *testing.T) {
	for source, want := range map[string]string{
		"backend {\n}":                               "Missing type for backend",
		"backend \"s3\" {\n a = var.x\n}":            "Reference in a backend",
		"backend \"s3\" {\n a {\n }\n}":              "Unexpected \"a\" block",
		"backend \"s3\" {\n}\nbackend \"http\" {\n}": "Duplicate block",
		"backend \"s3\" {\n a = fil(\"x\")\n}":       "Call to unknown function",
	} {
		source = "edgeplan {\n" + source + "\n}\n"
		dir := folder(t, []txtar.File{{Name: "main.edgeplan.hcl", Data: []byte(source)}})
		_, all := Load(dir, Options{})
		_, _, alone := LoadBackend(dir)
		for _, diags := range []hcl.Diagnostics{all, alone} {
			if len(diags) != 1 || diags[0].Summary != want || diags[0].Subject == nil {
				t.Errorf("%s gave %v, want %q", source, diags, want)
			}
		}
	}
}
