package statefile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeplan/edgeplan/internal/version"
)

// lockHelper, when set, makes the test program take the lock of the folder it
// names, say so, and hold it until its input ends.
const lockHelper = "EDGEPLAN_TEST_LOCK_HELPER"

func TestMain(m *testing.M) {
	dir := os.Getenv(lockHelper)
	if dir == "" {
		os.Exit(m.Run())
	}
	lock, err := Open(dir).Lock(context.Background(), LockOptions{Operation: "apply"})
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(0)
	}
	fmt.Println("locked", lock.Info.ID)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := lock.Unlock(); err != nil {
		fmt.Println("unlock:", err)
		os.Exit(1)
	}
}

// holder is another process at the lock.
type holder struct {
	command *exec.Cmd
	stdin   io.Closer
	stdout  *bufio.Reader
}

// startHolder starts a process that holds the lock and waits until it has it.
func startHolder(t *testing.T, dir string) (h *holder, id string) {
	t.Helper()
	h = startContender(t, dir)
	answer := strings.Fields(h.answer(t))
	if len(answer) != 2 || answer[0] != "locked" {
		t.Fatalf("the other process does not hold the lock: %v", answer)
	}
	return h, answer[1]
}

func startContender(t *testing.T, dir string) *holder {
	t.Helper()
	h := &holder{command: exec.Command(os.Args[0])}
	h.command.Env = append(os.Environ(), lockHelper+"="+dir)
	stdin, err := h.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := h.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	h.stdin, h.stdout = stdin, bufio.NewReader(stdout)
	return h
}

// answer is the line that says whether the process has the lock.
func (h *holder) answer(t *testing.T) string {
	t.Helper()
	line, err := h.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (h *holder) kill() {
	_ = h.command.Process.Kill()
	_ = h.command.Wait()
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	_, id := startHolder(t, dir)
	_, err := Open(dir).Lock(t.Context(), LockOptions{Operation: "destroy"})
	var held *LockError
	if !errors.As(err, &held) || !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want a *LockError", err)
	}
	if held.Info.ID != id || held.Info.Operation != "apply" {
		t.Errorf("the error names %+v, the holder is %s", held.Info, id)
	}
	for _, part := range []string{"`edgeplan apply` of " + Who(), held.Info.Created.Local().Format(time.RFC3339), "-lock-timeout"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	info, err := os.Stat(newLocal(filepath.Join(dir, StateFile), osFiles{}).infoPath())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the info file: mode %v, error %v; want 0600", info.Mode(), err)
	}
}

// The operating system takes the lock back: what a killed run left blocks nobody.
func TestLockSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	h, killed := startHolder(t, dir)
	h.kill()
	leftover := filepath.Join(dir, "."+StateFile+".123.tmp")
	write(t, leftover, []byte("half a st"))
	lock, err := Open(dir).Lock(t.Context(), LockOptions{Operation: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	want := LockInfo{Operation: "plan", Who: Who(), Version: version.Version, Path: filepath.Join(dir, StateFile)}
	got := newLocal(filepath.Join(dir, StateFile), osFiles{}).holder()
	if age := time.Since(got.Created); age < 0 || age > time.Minute || got.ID == killed {
		t.Errorf("the info file is still that of the killed run: %+v", got)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(LockInfo{}, "ID", "Created")); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, dir, "."+StateFile+".lock")
}

func TestLockTimeout(t *testing.T) {
	dir := t.TempDir()
	h, _ := startHolder(t, dir)
	var told LockInfo
	options := LockOptions{Operation: "apply", Timeout: 250 * time.Millisecond, Waiting: func(i LockInfo) { told = i }}
	_, err := Open(dir).Lock(t.Context(), options)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "still after 250ms") {
		t.Fatalf("got %v", err)
	}
	if told.ID == "" {
		t.Error("nothing was told while waiting")
	}
	options.Timeout = 20 * time.Second
	options.Waiting = func(LockInfo) { _ = h.stdin.Close() } // now the holder ends
	lock, err := Open(dir).Lock(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	startHolder(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Open(dir).Lock(ctx, LockOptions{Timeout: time.Minute, Waiting: func(LockInfo) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Processes that race for the lock: exactly one wins.
func TestLockRace(t *testing.T) {
	dir := t.TempDir()
	contenders := make([]*holder, 4)
	for i := range contenders {
		contenders[i] = startContender(t, dir)
	}
	won := 0
	for _, c := range contenders {
		if answer := c.answer(t); strings.HasPrefix(answer, "locked") {
			won++
		} else if !strings.Contains(answer, ErrLocked.Error()) {
			t.Error(answer)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d processes hold the lock", won, len(contenders))
	}
}

func TestLockInAMissingFolder(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "missing")).Lock(t.Context(), LockOptions{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A killed run leaves the info file: force-unlock clears it away by its ID. The
// lock of a run that lives is not taken away.
func TestForceUnlock(t *testing.T) {
	dir := t.TempDir()
	h, id := startHolder(t, dir)
	var held *LockError
	if err := Open(dir).ForceUnlock(t.Context(), id); !errors.As(err, &held) || held.Info.ID != id {
		t.Fatalf("the holder lives: got %v, want its lock", err)
	}
	h.kill()
	if err := Open(dir).ForceUnlock(t.Context(), "another"); !errors.As(err, &held) || held.Info.ID != id {
		t.Errorf("another ID: got %v", err)
	}
	if err := Open(dir).ForceUnlock(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, dir, "."+StateFile+".lock")
	if err := Open(dir).ForceUnlock(t.Context(), id); !errors.Is(err, ErrNotLocked) {
		t.Errorf("again: got %v, want ErrNotLocked", err)
	}
}

// slowHolder are files of which somebody holds the lock until it is tried for the second time.
type slowHolder struct {
	osFiles
	tries int
	act   func() error
}

func (s *slowHolder) TryLock(path string) (fileLock, error) {
	if s.tries++; s.tries == 2 {
		if err := s.act(); err != nil {
			return nil, err
		}
	}
	return s.osFiles.TryLock(path)
}

// A holder that is slow to write down who it is, is waited for, and one that has let go by
// then stands in nobody's way.
func TestLockOfASlowHolder(t *testing.T) {
	for name, writes := range map[string]bool{"writes": true, "lets go": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), StateFile)
			slow := newLocal(path, osFiles{})
			held, err := slow.files.TryLock(slow.lockPath())
			if err != nil || held == nil {
				t.Fatal(held, err)
			}
			act := held.Unlock
			if writes {
				act = func() error { return slow.writeInfo(LockInfo{ID: "slow"}) }
			}
			got := newLocal(path, &slowHolder{act: act}).Lock(t.Context(), LockInfo{ID: "next"})
			var locked *LockError
			if errors.As(got, &locked) != writes || writes && locked.Info.ID != "slow" || !writes && got != nil {
				t.Errorf("got %v", got)
			}
		})
	}
}
