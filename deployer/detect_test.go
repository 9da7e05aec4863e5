package deployer

import (
	"context"
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

func TestArchitectures(t *testing.T) {
	c := newCluster(t, "a", "b")
	found, err := Architectures(context.Background(), c.nodes, c.options)
	if err != nil || found["a"] != c.nodes["a"].Architecture || found["b"] != c.nodes["b"].Architecture {
		t.Errorf("%v, error %v", found, err)
	}
	c.devices["b"].Close()
	if _, err := Architectures(context.Background(), c.nodes, c.options); err == nil || !strings.Contains(err.Error(), "b: ") {
		t.Errorf("error %v", err)
	}
}

func TestArchitectureOf(t *testing.T) {
	tests := []struct{ system, machine, bits, want string }{
		{"Linux", "x86_64", "64", "linux/amd64"},
		{"Linux", "x86_64", "unknown", "linux/amd64"},
		{"Linux", "x86_64", "32", "linux/386"},
		{"Linux", "aarch64", "64", "linux/arm64"},
		{"Linux", "aarch64", "32", "linux/arm"}, // 64-bit kernel of Raspberry Pi OS
		{"Linux", "armv7l", "32", "linux/arm"},
		{"Linux", "armv6l", "32", "linux/arm"},
		{"Linux", "riscv64", "64", "linux/riscv64"},
		{"Darwin", "arm64", "64", "darwin/arm64"},
	}
	for _, test := range tests {
		if got := architectureOf(test.system, test.machine, test.bits); got != test.want {
			t.Errorf("%s %s %s: %s, want %s", test.system, test.machine, test.bits, got, test.want)
		}
	}
}
