package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every unit is one that systemd takes as it is meant, whatever the folders are named.
func TestWatchUnitsAreValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here (Debian: apt-get install systemd)")
	}
	for _, name := range []string{"plain", "with space", `quote " and '`, "100% $HOME", `back\slash`} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			program := filepath.Join(dir, "edgeplan")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			u := watchUnit{User: "daemon", Here: dir, Dir: dir, Program: program, Writes: []string{dir},
				Words: []string{"-chdir=" + dir, "watch", "-auto-approve", "-exclude", `node.pi["roof"]`, "-log", "a b%c$d.log"}}
			text, err := u.render()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "edgeplan-watch.service")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.Command(analyze, "verify", "--man=no", file)
			command.Env = append(os.Environ(), "LC_ALL=C")
			out, err := command.CombinedOutput()
			// Versions of systemd before 254 do not know growing pauses, and say so.
			rest := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(line string) bool {
				return !strings.Contains(line, "edgeplan-watch") || strings.Contains(line, "RestartSteps") || strings.Contains(line, "RestartMaxDelaySec")
			})
			if err != nil || len(rest) > 0 {
				t.Errorf("%v\n%s\n%s", err, out, text)
			}
		})
	}
	if _, err := (watchUnit{Words: []string{"a\nExecStart=/bin/evil"}}).render(); err == nil {
		t.Error("a line break got into the unit")
	}
}
