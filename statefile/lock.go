package statefile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/edgeplan/edgeplan/internal/version"
)

// Names of the lock's files in a configuration folder. The state itself cannot
// be locked, since every write puts another file in its place.
const (
	LockFile     = ".edgeplan.state.json.lock"
	LockInfoFile = LockFile + ".info"
)

// lockPoll is how often a waiting run tries the lock again.
const lockPoll = 100 * time.Millisecond

// LockInfo says who holds the lock. It is only for people to read: the lock is
// the flock, which the operating system takes back when its holder dies.
type LockInfo struct {
	ID        string    `json:"ID"`
	Operation string    `json:"Operation"` // the command, as "apply"
	Who       string    `json:"Who"`       // user@host
	Version   string    `json:"Version"`   // of edgeplan
	Created   time.Time `json:"Created"`
	Path      string    `json:"Path"` // of the state
}

// LockOptions are how to take the lock.
type LockOptions struct {
	Operation string // the command, as "apply"
	// Timeout is how long to wait for another run; 0 does not wait.
	Timeout time.Duration
	// Waiting is called once when another run holds the lock and there is a time
	// to wait. It may be nil.
	Waiting func(LockInfo)
}

// LockError says that another run holds the lock.
type LockError struct {
	Path string
	// Info of the holder; zero when it could not be read.
	Info   LockInfo
	Waited time.Duration
}

func (e *LockError) Error() string {
	holder := "another run of edgeplan holds it"
	if e.Info.ID != "" {
		holder = fmt.Sprintf("`edgeplan %s` of %s holds it since %s (lock ID %s)",
			e.Info.Operation, e.Info.Who, e.Info.Created.Local().Format(time.RFC3339), e.Info.ID)
	}
	if e.Waited > 0 {
		holder += fmt.Sprintf(", and still after %s", e.Waited)
	}
	return fmt.Sprintf("%s: %v: %s; wait for it to end, or give more time with -lock-timeout", e.Path, ErrLocked, holder)
}

// Unwrap gives ErrLocked to errors.Is.
func (e *LockError) Unwrap() error { return ErrLocked }

// Lock is a held lock.
type Lock struct {
	Info  LockInfo
	path  string // of the info file
	flock *flock.Flock
}

// Lock takes the lock of the state, so that only one run changes it. It fails
// with a *LockError while another run holds it. A run that was killed does not
// block the next.
func (m *Manager) Lock(ctx context.Context, o LockOptions) (*Lock, error) {
	lock := &Lock{
		Info:  newLockInfo(o.Operation, m.Path()),
		path:  filepath.Join(m.dir, LockInfoFile),
		flock: flock.New(filepath.Join(m.dir, LockFile)),
	}
	if err := m.acquire(ctx, lock.flock, o); err != nil {
		return nil, err
	}
	removeLeftovers(m.dir)
	if err := lock.writeInfo(m.files); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the state: %w", err), lock.Unlock())
	}
	return lock, nil
}

func (m *Manager) acquire(ctx context.Context, l *flock.Flock, o LockOptions) error {
	ok, err := l.TryLock()
	if err == nil && !ok && o.Timeout > 0 {
		if o.Waiting != nil {
			o.Waiting(m.holder())
		}
		ok, err = waitFor(ctx, l, o.Timeout)
	}
	if err != nil {
		return fmt.Errorf("lock the state with %s: %w", l.Path(), err)
	}
	if !ok {
		return &LockError{Path: m.Path(), Info: m.holder(), Waited: o.Timeout}
	}
	return nil
}

// waitFor tries until the lock is free, the time is over (false) or the
// context ends (an error).
func waitFor(ctx context.Context, l *flock.Flock, timeout time.Duration) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ok, err := l.TryLockContext(limited, lockPoll)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return ok, err
}

// holder reads who holds the lock; zero when that is not known.
func (m *Manager) holder() LockInfo {
	var info LockInfo
	content, err := m.files.ReadFile(filepath.Join(m.dir, LockInfoFile))
	if err != nil || json.Unmarshal(content, &info) != nil {
		return LockInfo{}
	}
	return info
}

func (l *Lock) writeInfo(files fileSystem) error {
	content, err := encodeJSON(l.Info)
	if err != nil {
		return err
	}
	_, err = replace(files, l.path, content)
	return err
}

// Unlock gives the lock back. The lock file stays: removing it would let two
// runs hold locks on two files of the same name.
func (l *Lock) Unlock() error {
	err := os.Remove(l.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.flock.Unlock())
}

func newLockInfo(operation, path string) LockInfo {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return LockInfo{
		ID:        newUUID(),
		Operation: operation,
		Who:       whoami(),
		Version:   version.Version,
		Created:   time.Now().UTC(),
		Path:      path,
	}
}

// whoami is user@host, with a question mark for what the system does not tell.
func whoami() string {
	name, host := "?", "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
