package statefile

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"
)

// Beside a state edgeplan.state.json stand the file that is locked and the one
// that says who holds the lock. The state itself cannot be locked, since every
// write puts another file in its place.
const (
	lockSuffix = ".lock"
	infoSuffix = ".lock.info"
)

// How long a holder has to write down who it is, and how often that is looked for.
const (
	holderTime = 3 * time.Second
	holderPoll = 25 * time.Millisecond
)

func (l *local) lockPath() string { return l.hidden(lockSuffix) }
func (l *local) infoPath() string { return l.hidden(infoSuffix) }

func (l *local) hidden(suffix string) string {
	return filepath.Join(filepath.Dir(l.path), "."+filepath.Base(l.path)+suffix)
}

// Lock takes a lock of the operating system, which gives it back when its holder
// dies: what a killed run left blocks nobody.
func (l *local) Lock(ctx context.Context, info LockInfo) error {
	held, holder, err := l.tryLock(ctx)
	if err != nil {
		return &FileError{Path: l.lockPath(), Doing: "lock the state", Err: err}
	}
	if held == nil {
		return &LockError{Location: l.path, Info: holder}
	}
	l.held, l.heldID = held, info.ID
	for _, path := range []string{l.path, l.path + backupSuffix, l.infoPath()} {
		removeLeftovers(l.files, path)
	}
	if err := l.writeInfo(info); err != nil {
		problem := &FileError{Path: l.infoPath(), Doing: "write down who holds the lock", Err: err}
		return errors.Join(problem, l.release())
	}
	return nil
}

func (l *local) writeInfo(info LockInfo) error {
	content, err := encodeJSON(info)
	if err != nil {
		return err
	}
	return replace(l.files, l.infoPath(), content)
}

// tryLock takes the lock, or tells who holds it. Whoever took it a moment ago may not have
// written that down yet, which takes its time on a busy disk, and whoever gives it back has
// removed that: while nobody is known to hold it, it is tried again for a while.
func (l *local) tryLock(ctx context.Context) (fileLock, LockInfo, error) {
	for over := time.Now().Add(holderTime); ; {
		held, err := l.files.TryLock(l.lockPath())
		switch {
		case held != nil || err != nil:
			return held, LockInfo{}, err
		case ctx.Err() != nil || time.Now().After(over):
			return nil, l.holder(), nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(holderPoll):
		}
		if holder := l.holder(); holder.ID != "" {
			return nil, holder, nil
		}
	}
}

// holder reads who holds the lock; zero when that is not known.
func (l *local) holder() LockInfo {
	content, err := l.files.ReadFile(l.infoPath())
	if err != nil {
		return LockInfo{}
	}
	return ParseLockInfo(content)
}

// ParseLockInfo reads an info file or an answer; zero when it is none.
func ParseLockInfo(content []byte) LockInfo {
	var info LockInfo
	if json.Unmarshal(content, &info) != nil {
		return LockInfo{}
	}
	return info
}

// Unlock gives back the lock of this run. That of another run can only be cleared
// away once that run has ended.
func (l *local) Unlock(ctx context.Context, id string) error {
	if l.held == nil {
		return l.clear(ctx, id)
	}
	if id != l.heldID {
		return &LockError{Location: l.path, Info: l.holder()}
	}
	return l.release()
}

// release removes the info file, but not the lock file: removing that would let
// two runs hold locks on two files of the same name.
func (l *local) release() error {
	err := l.files.Remove(l.infoPath())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, l.held.Unlock())
	l.held = nil
	return err
}

// clear removes what a killed run left of its lock.
func (l *local) clear(ctx context.Context, id string) error {
	left := l.holder()
	switch {
	case left.ID == "":
		return ErrNotLocked
	case left.ID != id:
		return &LockError{Location: l.path, Info: left}
	}
	if err := l.Lock(ctx, left); err != nil {
		return err
	}
	return l.release()
}
