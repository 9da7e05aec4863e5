// Package promtest holds the names of metrics to Prometheus' own rules in tests.
package promtest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// Required makes a missing promtool fail a test, where it otherwise only says so.
const Required = "EDGEPLAN_REQUIRE_PROMTOOL"

// Check gives metrics in Prometheus' text format to `promtool check metrics`.
func Check(t testing.TB, text []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv(Required) != "" {
			t.Fatal("promtool is required, but not installed")
		}
		t.Log("promtool is not installed: names are not checked")
		return
	}
	command := exec.Command(path, "check", "metrics")
	command.Stdin = bytes.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
