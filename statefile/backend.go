package statefile

import (
	"context"
	"errors"
	"fmt"
)

// MaxBytes is the largest state that is read or written. What is larger is no
// state: an answer without end must not fill the memory.
const MaxBytes = 64 << 20

// Backend keeps the bytes of one state, and its lock, in one place. Each answers
// in bounded time, also when its context has no end.
type Backend interface {
	// Location names the state for people: a path or an address, without secrets.
	Location() string
	// Read gives the state; a Snapshot without content where there is none yet.
	Read(ctx context.Context) (Snapshot, error)
	// Write puts content in the place of what Read gave before. It fails with
	// ErrMoved, and changes nothing, where it can tell that something else stands
	// there now. An error after all may mean that the content stands there.
	Write(ctx context.Context, content []byte, before Snapshot) error
	// Lock takes the lock at once or fails with a *LockError.
	Lock(ctx context.Context, info LockInfo) error
	// Unlock gives back the lock with this ID, whoever took it. It fails with
	// ErrNotLocked or a *LockError when no lock or another one is held.
	Unlock(ctx context.Context, id string) error
}

// Snapshot is a state as it was read.
type Snapshot struct {
	Content []byte // nil where there is no state
	// Version is what the backend itself calls this content, as an ETag; "" where
	// it has no such name.
	Version string
}

// ErrNotLocked: there is no lock to give back.
var ErrNotLocked = errors.New("the state is not locked")

// CheckSize refuses to write what could not be read again.
func CheckSize(content []byte) error {
	if len(content) > MaxBytes {
		return fmt.Errorf("the state has %d bytes, more than the %d that are read back", len(content), MaxBytes)
	}
	return nil
}
