package statefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/edgeplan/edgeplan/internal/version"
)

// A waiting run tries the lock again after lockPoll, and then ever more rarely.
const (
	lockPoll    = 100 * time.Millisecond
	lockPollMax = 2 * time.Second
)

// LockInfo says who holds a lock. Terraform's HTTP backend protocol names the
// fields.
type LockInfo struct {
	ID        string    `json:"ID"`
	Operation string    `json:"Operation"` // the command, as "apply"
	Info      string    `json:"Info"`      // always empty; servers of the protocol expect it
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
	Location string // of the state
	// Info of the holder; zero when it is not known.
	Info   LockInfo
	Waited time.Duration
	// Outlives says that such a lock stays when the run that took it is killed.
	Outlives bool
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
	advice := "wait for it to end, or give more time with -lock-timeout"
	if e.Outlives && e.Info.ID != "" {
		advice += fmt.Sprintf("; if that run was killed, `edgeplan force-unlock %s` gives the lock back", e.Info.ID)
	}
	return fmt.Sprintf("%s: %v: %s; %s", e.Location, ErrLocked, holder, advice)
}

// Unwrap gives ErrLocked to errors.Is.
func (e *LockError) Unwrap() error { return ErrLocked }

// Lock is a held lock.
type Lock struct {
	Info    LockInfo
	backend Backend
}

// Lock takes the lock of the state, so that only one run changes it. It fails
// with a *LockError while another run holds it.
func (m *Manager) Lock(ctx context.Context, o LockOptions) (*Lock, error) {
	lock := &Lock{Info: newLockInfo(o.Operation, m.backend.Location()), backend: m.backend}
	err := m.backend.Lock(ctx, lock.Info)
	var held *LockError
	if errors.As(err, &held) && o.Timeout > 0 {
		if o.Waiting != nil {
			o.Waiting(held.Info)
		}
		err = waitFor(ctx, lock, o.Timeout)
	}
	if err != nil {
		return nil, err
	}
	removeLeftovers(m.files, m.emergencyPath())
	return lock, nil
}

// waitFor tries until the lock is free, the time is over, or ctx ends.
func waitFor(ctx context.Context, lock *Lock, timeout time.Duration) error {
	over := time.After(timeout)
	for pause := lockPoll; ; pause = min(pause*3/2, lockPollMax) {
		final := false
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while waiting for the lock of the state: %w", ctx.Err())
		case <-over:
			final = true
		case <-time.After(pause):
		}
		err := lock.backend.Lock(ctx, lock.Info)
		var held *LockError
		if !errors.As(err, &held) {
			return err
		}
		if held.Waited = timeout; final {
			return held
		}
	}
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error {
	if err := l.backend.Unlock(context.Background(), l.Info.ID); err != nil {
		return fmt.Errorf("%s: cannot give the lock of the state back: %w", l.backend.Location(), err)
	}
	return nil
}

// ForceUnlock gives back the lock that another run, which was killed, left.
func (m *Manager) ForceUnlock(ctx context.Context, id string) error {
	return m.backend.Unlock(ctx, id)
}

func newLockInfo(operation, path string) LockInfo {
	return LockInfo{
		ID:        newUUID(),
		Operation: operation,
		Who:       Who(),
		Version:   version.Version,
		Created:   time.Now().UTC(),
		Path:      path,
	}
}

// Who is user@host of this run, with a question mark for what the system does not tell.
func Who() string {
	name, host := "?", "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
