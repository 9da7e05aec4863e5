package deployer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The width of programs is found on devices without getconf too, as the smallest
// have none: from the shell itself.
func TestWidthWithoutGetconf(t *testing.T) {
	bits, err := exec.Command("getconf", "LONG_BIT").Output()
	if err != nil {
		t.Skip("no getconf to compare with")
	}
	tools := t.TempDir()
	for _, name := range []string{"uname", "dd", "od"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	look := func() string {
		command := exec.Command("/bin/sh", "-c", machineScript)
		command.Env = []string{"PATH=" + tools}
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		if len(lines) != 4 {
			t.Fatalf("got %q", out)
		}
		return lines[2]
	}
	if got := look(); got != strings.TrimSpace(string(bits)) {
		t.Errorf("the shell says %s, getconf %s", got, bits)
	}
	for octal, want := range map[string]string{`\001`: "32", `\002`: "64", `\177`: "unknown"} {
		os.Remove(filepath.Join(tools, "dd"))
		if err := os.WriteFile(filepath.Join(tools, "dd"), []byte("#!/bin/sh\nprintf '"+octal+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != want {
			t.Errorf("%s: %s, want %s", octal, got, want)
		}
	}
}
