package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The worker builds for every architecture that devices have, built as `init`
// does, and is what its kernel and C library take.
func TestWorkerBuildsForEveryArchitecture(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go tool")
	}
	for platform, want := range map[string]struct {
		class   elf.Class
		machine elf.Machine
		loader  string
		flags   string
	}{
		"linux/amd64": {elf.ELFCLASS64, elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", ""},
		"linux/arm64": {elf.ELFCLASS64, elf.EM_AARCH64, "/lib/ld-linux-aarch64.so.1", ""},
		"linux/arm":   {elf.ELFCLASS32, elf.EM_ARM, "/lib/ld-linux-armhf.so.3", "-I /lib/ld-linux-armhf.so.3"},
	} {
		t.Run(platform, func(t *testing.T) {
			built := filepath.Join(t.TempDir(), "edgeplan-worker")
			_, architecture, _ := strings.Cut(platform, "/")
			build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w "+want.flags, "-o", built, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture,
				"GOAMD64=v1", "GOARM64=v8.0", "GOARM=6", "GOFLAGS=-mod=readonly")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			file, err := elf.Open(built)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if file.Class != want.class || file.Machine != want.machine || file.Data != elf.ELFDATA2LSB {
				t.Errorf("%v %v %v, want %v %v", file.Class, file.Machine, file.Data, want.class, want.machine)
			}
			if got := interpreter(t, file); got != want.loader {
				t.Errorf("its loader is %q, want %q", got, want.loader)
			}
		})
	}
}

func interpreter(t *testing.T, file *elf.File) string {
	t.Helper()
	for _, part := range file.Progs {
		if part.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, part.Filesz)
		if _, err := part.ReadAt(name, 0); err != nil {
			t.Fatal(err)
		}
		return strings.TrimRight(string(name), "\x00")
	}
	return ""
}
