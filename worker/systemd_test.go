package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystemctl notes what it is asked, and has a manager that knows the units that were
// there at the last reload. It fails to reload while there is a file broken.
const fakeSystemctl = `#!/bin/sh
echo "$*" >>"$HOME/asked"
case "$*" in
*daemon-reload*) [ ! -e "$HOME/broken" ] && cp "$HOME/units/"*.service "$HOME/known/" ;;
*NeedDaemonReload*) for unit; do :; done; cmp -s "$HOME/units/$unit" "$HOME/known/$unit" && echo no || echo yes ;;
*enable*) for unit; do :; done; mkdir -p "$HOME/units/multi-user.target.wants" && : >"$HOME/units/multi-user.target.wants/$unit" ;;
esac
`

// A manager that could not be told of a unit is told when the unit is next registered,
// although that is written as it should be; and not when it knows it.
func TestRegisterReloadsAfterAFailure(t *testing.T) {
	home := t.TempDir()
	for _, folder := range []string{"bin", "units", "known"} {
		if err := os.Mkdir(filepath.Join(home, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "bin", "systemctl"), []byte(fakeSystemctl), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("PATH", filepath.Join(home, "bin")+":"+os.Getenv("PATH"))
	m, dir := manager{units: filepath.Join(home, "units")}, filepath.Join(home, "net-1", "releases", "r1")
	u := unit{System: true, User: "pi", Version: 252, Dir: dir, Program: filepath.Join(dir, ProgramFile), Model: "net", Release: "r1"}
	reloads := func() int {
		t.Helper()
		asked, err := os.ReadFile(filepath.Join(home, "asked"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(asked), "daemon-reload")
	}
	register := func() error { return m.register(t.Context(), dir, u) }
	if err := register(); err != nil || reloads() != 1 {
		t.Fatalf("%d reloads, %v", reloads(), err)
	}
	if err := register(); err != nil || reloads() != 1 {
		t.Errorf("of a unit that is known: %d reloads, %v", reloads(), err)
	}
	u.MemoryMB = 100
	broken := filepath.Join(home, "broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := register(); err == nil {
		t.Error("a manager that cannot reload is no error")
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	if err := register(); err != nil || reloads() != 3 {
		t.Errorf("after a reload that failed: %d reloads, %v", reloads(), err)
	}
	if err := register(); err != nil || reloads() != 3 {
		t.Errorf("then: %d reloads, %v", reloads(), err)
	}
}
