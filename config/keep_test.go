package config

import (
	"strings"
	"testing"

	"os"
	"path/filepath"
)

// keep_releases is a whole number from 1 up, and 2 where nothing is said.
func TestKeepReleases(t *testing.T) {
	for text, want := range map[string]int{"": 2, "keep_releases = 1": 1, "keep_releases = 7": 7} {
		cfg, diags := loadText(t, "edgeplan {\n"+text+"\n}\n")
		if diags != "" || cfg.Settings.KeepReleases != want {
			t.Errorf("%q: %d, want %d; %s", text, cfg.Settings.KeepReleases, want, diags)
		}
	}
	for _, text := range []string{"keep_releases = 0", "keep_releases = 1.5", "keep_releases = 101", "keep_releases = \"many\""} {
		if _, diags := loadText(t, "edgeplan {\n"+text+"\n}\n"); !strings.Contains(diags, "keep_releases") {
			t.Errorf("%q: %s", text, diags)
		}
	}
}

func loadText(t *testing.T, text string) (*Config, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.edgeplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := Load(dir, Options{})
	if !diags.HasErrors() {
		return cfg, ""
	}
	return cfg, diags.Error()
}
