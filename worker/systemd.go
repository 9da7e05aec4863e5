package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// manager is a service manager of systemd: the system's, or the user's.
type manager struct {
	user  bool
	units string // folder of its units
}

func systemManager() manager { return manager{units: "/etc/systemd/system"} }

func userManager() manager {
	folder, err := os.UserConfigDir() // $XDG_CONFIG_HOME, or .config of the home folder
	if err != nil {
		folder = "/nonexistent"
	}
	return manager{user: true, units: filepath.Join(folder, "systemd", "user")}
}

// managerOf a way of supervision that has one.
func managerOf(way Supervision) manager {
	if way == SystemUnit {
		return systemManager()
	}
	return userManager()
}

// unitTimeout bounds starting and stopping a unit; TimeoutStopSec is below it.
const unitTimeout = supervisorStop + toolTimeout

// systemctl runs it without ever asking for a password.
func (m manager) systemctl(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, unitTimeout)
	defer cancel()
	if m.user {
		args = append([]string{"--user"}, args...)
	}
	command := exec.CommandContext(ctx, "systemctl", append([]string{"--no-ask-password"}, args...)...)
	command.Env = append(os.Environ(), "LC_ALL=C")
	if runtime := "/run/user/" + strconv.Itoa(os.Geteuid()); m.user && os.Getenv("XDG_RUNTIME_DIR") == "" {
		command.Env = append(command.Env, "XDG_RUNTIME_DIR="+runtime) // sshd without PAM does not set it
	}
	var out, problem bytes.Buffer
	command.Stdout, command.Stderr = &out, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(problem.Bytes()))
	}
	return strings.TrimSpace(out.String()), nil
}

// usable says whether the manager answers.
func (m manager) usable(ctx context.Context) bool {
	_, err := m.systemctl(ctx, "show", "--property=Version", "--value")
	return err == nil
}

// version is the manager's, as 252.
func (m manager) version(ctx context.Context) int {
	out, _ := m.systemctl(ctx, "show", "--property=Version", "--value")
	number, _, _ := strings.Cut(strings.TrimPrefix(out, "v"), " ")
	number, _, _ = strings.Cut(number, ".")
	version, _ := strconv.Atoi(number) // 0 leaves out what is new
	return version
}

// unitName of a release folder: readable, and no other folder's.
func unitName(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	deployment, release := filepath.Base(filepath.Dir(filepath.Dir(dir))), filepath.Base(dir)
	return fmt.Sprintf("edgeplan-%s-%s-%s.service", plain(deployment), plain(release), hex.EncodeToString(sum[:4]))
}

// plain keeps what the name of a unit may have (systemd.unit(5)).
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 100)]
}

// register writes and enables the unit of a release folder.
func (m manager) register(ctx context.Context, dir string, u unit) error {
	text, err := u.render()
	if err != nil {
		return err
	}
	path := filepath.Join(m.units, unitName(dir))
	written := !m.enabled(dir)
	if known, err := os.ReadFile(path); err != nil || string(known) != text {
		written = true
		if err := os.MkdirAll(m.units, 0o755); err != nil {
			return err
		}
		if err := writeWhole(path, text); err != nil {
			return err
		}
	}
	if written || m.outdated(ctx, dir) {
		if _, err := m.systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if _, err = m.systemctl(ctx, "enable", unitName(dir)); err == nil && written {
		syscall.Sync() // the link that it made; not at every start, since others' writes may take minutes
	}
	return err
}

// outdated says whether the manager knows the unit of a release folder otherwise than it is
// written: it was not to be had when that was written.
func (m manager) outdated(ctx context.Context, dir string) bool {
	out, _ := m.systemctl(ctx, "show", "--property=NeedDaemonReload", "--value", unitName(dir))
	return out == "yes"
}

// enabled says whether the unit of a release folder starts with the system, or with the
// user's manager, by what its WantedBy= has made.
func (m manager) enabled(dir string) bool {
	target := "multi-user.target.wants"
	if m.user {
		target = "default.target.wants"
	}
	_, err := os.Lstat(filepath.Join(m.units, target, unitName(dir)))
	return err == nil
}

// writeWhole writes a file whole or not at all.
func writeWhole(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".edgeplan-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// has says whether a release folder has a unit here.
func (m manager) has(dir string) bool {
	_, err := os.Stat(filepath.Join(m.units, unitName(dir)))
	return err == nil
}

// watch tells on the channel when the unit of a release folder fails, until ctx
// ends: it was started again, or is about to be.
func (m manager) watch(ctx context.Context, dir string) <-chan error {
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for ctx.Err() == nil {
			out, err := m.systemctl(ctx, "show", "--property=ActiveState,SubState,NRestarts,Result,ExecMainStatus", unitName(dir))
			state := map[string]string{}
			for line := range strings.Lines(out) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				state[name] = value
			}
			if err == nil && (state["ActiveState"] == "failed" || state["ActiveState"] == "inactive" ||
				state["SubState"] == "auto-restart" || state["NRestarts"] != "0") {
				failed <- fmt.Errorf("%s: %s (%s)%s", unitName(dir), state["SubState"], state["Result"], unitKilledHint(state))
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * pollEvery):
			}
		}
		<-ctx.Done()
	}()
	return failed
}

// unitKilledHint is killedHint for a unit. With control groups of the first kind
// systemd does not hear what has killed it.
func unitKilledHint(state map[string]string) string {
	if state["Result"] == "oom-kill" || state["Result"] == "signal" && state["ExecMainStatus"] == strconv.Itoa(int(syscall.SIGKILL)) {
		return memoryHint
	}
	return ""
}

// forget stops, disables and removes the unit of a release folder.
func (m manager) forget(ctx context.Context, dir string) error {
	if !m.has(dir) {
		return nil
	}
	name := unitName(dir)
	if _, err := m.systemctl(ctx, "disable", "--now", name); err != nil && m.usable(ctx) {
		return err
	}
	err := os.Remove(filepath.Join(m.units, name))
	wants, globErr := filepath.Glob(filepath.Join(m.units, "*.wants", name)) // where the manager does not run
	for _, link := range wants {
		err = errors.Join(err, os.Remove(link))
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s cannot be removed: %w", name, err)
	}
	if _, reload := m.systemctl(ctx, "daemon-reload"); reload != nil && m.usable(ctx) {
		err = errors.Join(err, reload)
	}
	return errors.Join(err, globErr)
}

// stopUnits stops the units of a release folder in either manager.
func stopUnits(ctx context.Context, dir string) error {
	var problems []error
	for _, m := range []manager{systemManager(), userManager()} {
		if !m.has(dir) || !found("systemctl") {
			continue
		}
		if _, err := m.systemctl(ctx, "stop", unitName(dir)); err != nil && m.usable(ctx) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
