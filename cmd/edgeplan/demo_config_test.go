package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/config"
)

// The configuration that the demo leaves to try commands on is laid out as fmt would.
func TestDemoConfigIsFormatted(t *testing.T) {
	dir := t.TempDir()
	bed := &demoBed{devices: []demoDevice{
		{name: "hall", host: "127.0.0.11", port: "2201"},
		{name: "gate", host: "127.0.0.12", port: "22022"},
		{name: "roof", host: "127.0.0.13", port: "22"},
	}}
	if err := writeDemoConfig(dir, bed, defaultDemoCompute); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, "main.edgeplan.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	formatted, diags := config.Format("main.edgeplan.hcl", written)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(string(formatted), string(written)); diff != "" {
		t.Errorf("edgeplan fmt changes the demo's configuration (-formatted +written):\n%s", diff)
	}
}
