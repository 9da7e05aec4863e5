package main_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeplan/edgeplan/statefile"
)

var everyPoint = flag.Bool("crash-all", false, "kill commands at every one of their operations, not at some of them")

// A command that is killed at any of its operations on the files of the state
// leaves the old or the new state, whole; the next run is not kept out, and brings
// everything to where the killed one was going.
func TestKilledAtEveryFileOperation(t *testing.T) {
	t.Parallel()
	bed := newWorkbench(t, crashProgram(t))
	tried := map[string]int{}
	ended := map[string]bool{}
	steps := []crashStep{
		{"first apply", []string{"apply", "-auto-approve"}, false},
		{"state mv", []string{"state", "mv", `node.pi["roof"]`, "node.spare"}, false},
		{"state push", []string{"state", "push", "-force", "older.json"}, false},
		{"changing apply", []string{"apply", "-auto-approve", "-var", "threads=2"}, false},
		{"destroy", []string{"destroy", "-auto-approve"}, true},
	}
	for n := 1; len(ended) < len(steps); n++ {
		if !*everyPoint && !slices.Contains(somePoints, n) {
			if n > slices.Max(somePoints) {
				break
			}
			continue
		}
		for _, step := range steps {
			bed.prepare(t, step)
			if ended[step.name] {
				bed.must(t, step.args...)
				continue
			}
			if killed := bed.crash(t, step, n); killed {
				tried[step.name]++
			} else {
				ended[step.name] = true
			}
		}
	}
	total := 0
	for _, step := range steps {
		t.Logf("%-15s killed at %d points", step.name, tried[step.name])
		if total += tried[step.name]; tried[step.name] == 0 {
			t.Errorf("%s was never killed", step.name)
		}
	}
	t.Logf("%d points in all, 0 states lost", total)
}

// somePoints are tried without -crash-all: before anything is written, and in the
// middle of the first write of the state.
var somePoints = []int{3, 20}

type crashStep struct {
	name    string
	args    []string
	destroy bool
}

// crashProgram builds edgeplan so that it can end at each of its file operations.
func crashProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "edgeplan")
	workers, err := filepath.Glob(filepath.Join(program, "edgeplan-worker_*"))
	if err != nil || len(workers) != 1 {
		t.Fatalf("beside the program: %q, error %v", workers, err)
	}
	if err := os.Symlink(workers[0], filepath.Join(dir, filepath.Base(workers[0]))); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-tags", "crashpoints", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// prepare gives the step something to do that it had before each other point, too.
func (b *workbench) prepare(t *testing.T, step crashStep) {
	t.Helper()
	switch step.name {
	case "first apply":
		b.removeState(t)
	case "state push":
		b.write(t, "older.json", b.stateBytes(t))
		b.must(t, "state", "mv", "node.spare", `node.pi["roof"]`)
	case "changing apply":
		b.must(t, "state", "mv", "node.spare", `node.pi["roof"]`)
	}
}

// removeState starts anew once everything is destroyed.
func (b *workbench) removeState(t *testing.T) {
	t.Helper()
	for _, name := range []string{statefile.StateFile, statefile.BackupFile} {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// crash runs a step that is killed at its n-th operation, and checks what is left
// and that it can be finished. It says whether there was an n-th operation.
func (b *workbench) crash(t *testing.T, step crashStep, n int) bool {
	t.Helper()
	before := b.stateBytes(t)
	log := filepath.Join(b.dir, "operations")
	_ = os.Remove(log)
	out, err := b.run([]string{fmt.Sprintf("EDGEPLAN_CRASH_AT=%d", n), "EDGEPLAN_CRASH_LOG=" + log}, step.args...)
	if err == nil {
		return false
	}
	where := fmt.Sprintf("%s, killed at operation %d after %s", step.name, n, lastLine(log))
	if !wasKilled(err) {
		t.Fatalf("%s: ended by itself: %v\n%s", where, err, out)
	}
	b.checkLeft(t, where, before, log)
	b.finish(t, where, step)
	return true
}

// checkLeft holds the state against what the log says was renamed into place.
func (b *workbench) checkLeft(t *testing.T, where string, before []byte, log string) {
	t.Helper()
	operations, _ := os.ReadFile(log)
	writes := uint64(strings.Count(string(operations), "rename "+statefile.StateFile+"\n"))
	after := b.stateBytes(t)
	if writes == 0 {
		if !bytes.Equal(before, after) {
			t.Fatalf("%s: nothing was renamed, and the state changed", where)
		}
		return
	}
	state, err := statefile.Parse(statefile.StateFile, after)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	var serial uint64
	if before != nil {
		old, err := statefile.Parse("before", before)
		if err != nil {
			t.Fatal(err)
		}
		serial = old.Serial
		backup, err := os.ReadFile(filepath.Join(b.dir, statefile.BackupFile))
		if err != nil || !bytes.Equal(backup, before) {
			t.Fatalf("%s: the backup is not the state before the run (%v)", where, err)
		}
	}
	if state.Serial != serial+writes {
		t.Fatalf("%s: serial %d after %d writes on %d", where, state.Serial, writes, serial)
	}
}

// finish does what the killed run was for, and finds nothing left to do.
func (b *workbench) finish(t *testing.T, where string, step crashStep) {
	t.Helper()
	switch step.name {
	case "state mv":
		if state, err := statefile.Parse("state", b.stateBytes(t)); err != nil || statefile.Find(state, "node.spare") == nil {
			b.must(t, step.args...)
		}
		return
	case "state push":
		b.must(t, step.args...)
		return
	}
	if out, err := b.run(nil, step.args...); err != nil {
		t.Fatalf("%s: the next run: %v\n%s", where, err, out)
	}
	b.onlyKnownFiles(t, where)
	if step.destroy {
		b.checkDevicesEmpty(t, where)
		return
	}
	plan := append([]string{"plan", "-detailed-exitcode"}, step.args[2:]...)
	if out, err := b.run(nil, plan...); err != nil {
		t.Fatalf("%s: a plan after the next run: %v\n%s", where, err, out)
	}
}

// onlyKnownFiles fails when a temporary file of the killed run is still there.
func (b *workbench) onlyKnownFiles(t *testing.T, where string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.dir, ".*.tmp"))
	if err != nil || len(left) > 0 {
		t.Fatalf("%s: the next run left %v (%v)", where, left, err)
	}
}

func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func lastLine(path string) string {
	content, _ := os.ReadFile(path)
	lines := slices.DeleteFunc(strings.Split(string(content), "\n"), func(l string) bool { return l == "" })
	if len(lines) == 0 {
		return "nothing"
	}
	return lines[len(lines)-1]
}
