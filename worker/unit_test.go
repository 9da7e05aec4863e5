package worker

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every unit that can be rendered is one that systemd takes as it is meant:
// `systemd-analyze verify` prints a line for whatever it does not understand.
func TestUnitsAreValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here (Debian: apt-get install systemd)")
	}
	for _, name := range []string{"plain", "with space", `quote " and '`, "100% $HOME", `back\slash`} {
		for _, system := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " system", false: " user"}[system], func(t *testing.T) {
				root := filepath.Join(t.TempDir(), name)
				dir := filepath.Join(root, "net-1234", "releases", "abc")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				program := filepath.Join(dir, ProgramFile)
				if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
					t.Fatal(err)
				}
				u := unit{System: system, User: "daemon", Version: 252, Dir: dir, Program: program,
					Key: filepath.Join(root, KeyFile), Model: "net", Release: "abc", MemoryMB: 100}
				text, err := u.render()
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), unitName(dir))
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{"verify", "--man=no", file}
				if !system {
					args = append([]string{"--user"}, args...)
				}
				command := exec.Command(analyze, args...)
				command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "LC_ALL=C")
				out, err := command.CombinedOutput()
				if err != nil || strings.Contains(string(out), "edgeplan-") {
					t.Errorf("%v\n%s\n%s", err, out, text)
				}
			})
		}
	}
}

// What a unit must say, since the manager takes its absence for a choice.
func TestUnitIsHardened(t *testing.T) {
	u := unit{System: true, User: "pi", Version: 254, Dir: "/home/pi/.edgeplan/net-1/releases/r1",
		Program: "/home/pi/.edgeplan/net-1/releases/r1/edgeplan-worker", Model: "net", Release: "r1", MemoryMB: 125}
	text, err := u.render()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`ExecStart="/home/pi/.edgeplan/net-1/releases/r1/edgeplan-worker" run -supervised "/home/pi/.edgeplan/net-1/releases/r1"`,
		"User=pi", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "PrivateTmp=yes",
		`ReadWritePaths="/home/pi/.edgeplan/net-1/releases/r1"`, "MemoryMax=125M",
		"Restart=always", "RestartSec=500ms", "RestartSteps=7", "RestartMaxDelaySec=60", "RestartPreventExitStatus=3",
		"KillMode=mixed", "TimeoutStopSec=15", "WantedBy=multi-user.target",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
	u.System, u.Version, u.MemoryMB = false, 252, 0
	if text, err = u.render(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"User=", "RestartSteps", "MemoryMax", "ProtectSystem", "CapabilityBoundingSet"} {
		if strings.Contains(text, part) {
			t.Errorf("a user's unit of an old systemd has %s, which it cannot have", part)
		}
	}
}

func TestUnitRefusesControlCharacters(t *testing.T) {
	for _, u := range []unit{{Dir: "/a\nExecStart=/bin/evil"}, {Model: "net\n[Service]"}, {User: "pi\r"}, {Key: "/k\x00"}} {
		if text, err := u.render(); err == nil {
			t.Errorf("%+v was rendered:\n%s", u, text)
		}
	}
	if _, err := cronLine("/home/pi/.edgeplan/a\n* * * * * evil/releases/r1"); err == nil {
		t.Error("a line break got into the crontab")
	}
}

// Names of units say what they are and are those of one folder only.
func TestUnitName(t *testing.T) {
	a, b := unitName("/home/pi/.edgeplan/net-1/releases/r1"), unitName("/home/al/.edgeplan/net-1/releases/r1")
	if !strings.HasPrefix(a, "edgeplan-net-1-r1-") || !strings.HasSuffix(a, ".service") || a == b {
		t.Errorf("got %s and %s", a, b)
	}
	if name := unitName("/x/ü %n/releases/r 1"); strings.ContainsAny(name, " %ü/") {
		t.Errorf("got %s", name)
	}
}

// A unit is enabled when its link is where its WantedBy= puts it.
func TestUnitIsEnabled(t *testing.T) {
	for _, user := range []bool{false, true} {
		m := manager{user: user, units: t.TempDir()}
		text, err := (unit{System: !user, Dir: "/srv/edge/net/releases/1", Program: "/srv/edge/w"}).render()
		if err != nil {
			t.Fatal(err)
		}
		_, target, _ := strings.Cut(text, "\nWantedBy=")
		wants := filepath.Join(m.units, strings.TrimSpace(target)+".wants")
		before := m.enabled("/srv/edge/net/releases/1")
		link := filepath.Join(wants, unitName("/srv/edge/net/releases/1"))
		if err := errors.Join(os.Mkdir(wants, 0o755), os.Symlink("/nowhere", link)); err != nil {
			t.Fatal(err)
		}
		if before || !m.enabled("/srv/edge/net/releases/1") || m.enabled("/srv/edge/net/releases/2") {
			t.Errorf("user %v: before %v", user, before)
		}
	}
}

// After a reboot only the current release is wanted; until then also one that was
// started beside it.
func TestWanted(t *testing.T) {
	deployment := t.TempDir()
	old, next := filepath.Join(deployment, "releases", "old"), filepath.Join(deployment, "releases", "next")
	for _, dir := range []string{old, next} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("releases/old", filepath.Join(deployment, CurrentLink)); err != nil {
		t.Fatal(err)
	}
	if err := writeMark(next, "", SystemUnit); err != nil {
		t.Fatal(err)
	}
	if !Wanted(old) || !Wanted(next) {
		t.Errorf("beside each other: old %v, next %v", Wanted(old), Wanted(next))
	}
	reboot := []byte(`{"supervision":"systemd","boot_id":"another"}`)
	err := errors.Join(os.WriteFile(filepath.Join(old, MarkFile), reboot, 0o600), os.WriteFile(filepath.Join(next, MarkFile), reboot, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if !Wanted(old) || Wanted(next) {
		t.Errorf("after a reboot: old %v, next %v", Wanted(old), Wanted(next))
	}
	if err := os.Symlink("releases/next", filepath.Join(deployment, PromisedLink)); err != nil {
		t.Fatal(err)
	}
	if !Wanted(old) || !Wanted(next) {
		t.Errorf("promised, after a reboot: old %v, next %v", Wanted(old), Wanted(next))
	}
}
