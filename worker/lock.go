package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// ErrRunning is wrapped by Run when a worker runs in the folder already.
var ErrRunning = errors.New("a worker runs in this folder already")

// lockWait outlasts those who look at the lock, which takes it for a moment.
const lockWait = time.Second

// takeLock makes this process the holder of a lock file in a release folder, as
// its worker or its supervisor, until it releases the lock or dies. restarted
// says that the folder has had one before.
func takeLock(ctx context.Context, dir, name string) (lock *flock.Flock, restarted bool, err error) {
	lock = flock.New(filepath.Join(dir, name), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	_, err = lock.TryLockContext(wait, 10*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		pid, _ := readPID(dir, name)
		return nil, false, fmt.Errorf("%s: %w (process %d)", dir, ErrRunning, pid)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", lock.Path(), err)
	}
	_, err = readPID(dir, name)
	restarted = err == nil
	if err := writePID(lock.Path()); err != nil {
		return nil, false, errors.Join(err, lock.Close())
	}
	return lock, restarted, nil
}

// writePID writes over the file in place: its lock is on the file, not its name.
func writePID(path string) error {
	return os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
}

// locked tells whether a process holds a lock file of a release folder.
func locked(dir, name string) (bool, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if err != nil {
		return false, err
	}
	return !free, lock.Close()
}

func readPID(dir, name string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s: no process id in it: %q", filepath.Join(dir, name), text)
	}
	return pid, nil
}

// running finds the process that holds a lock file of a release folder; nil when
// there is none. The process is held on to before the lock is looked at, so a process that got
// the id of a dead one is never taken for it (where the system has handles on
// processes, as Linux has since 5.3).
func running(dir, name string) (*os.Process, error) {
	for range 50 {
		held, err := locked(dir, name)
		if err != nil || !held {
			return nil, err
		}
		pid, err := readPID(dir, name)
		if err == nil {
			process, err := os.FindProcess(pid)
			if err != nil {
				return nil, err
			}
			again, _ := readPID(dir, name)
			if held, err := locked(dir, name); err != nil || (held && again == pid) {
				return process, err
			}
			process.Release()
		}
		time.Sleep(20 * time.Millisecond) // it has just taken the lock, or just left
	}
	return nil, fmt.Errorf("%s: the lock is held, but by no process that says so", filepath.Join(dir, name))
}
