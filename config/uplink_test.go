package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// uplink is a bandwidth of more than nothing, unknown where nothing is said, and of the whole
// configuration only.
func TestUplink(t *testing.T) {
	for text, want := range map[string]float64{"": 0, `uplink = "20Mbps"`: 2.5e6, `uplink = "1Gbps"`: 125e6} {
		cfg, diags := loadText(t, "edgeplan {\n"+text+"\n}\n")
		if diags != "" || cfg.Settings.Uplink != want {
			t.Errorf("%q: %g, want %g; %s", text, cfg.Settings.Uplink, want, diags)
		}
	}
	for _, text := range []string{`uplink = "0Mbps"`, `uplink = "20MB"`, "uplink = 20", `uplink = "fast"`} {
		if _, diags := loadText(t, "edgeplan {\n"+text+"\n}\n"); !strings.Contains(diags, "uplink") || !strings.Contains(diags, "Mbps") {
			t.Errorf("%q: %s", text, diags)
		}
	}
}

func TestUplinkInModule(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "site"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"main.edgeplan.hcl":      "module \"site\" {\n  source = \"./site\"\n}\n",
		"site/main.edgeplan.hcl": "edgeplan {\n  uplink = \"20Mbps\"\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, diags := Load(dir, Options{}); !strings.Contains(diags.Error(), "uplink is a setting of the whole configuration") {
		t.Error(diags)
	}
}
