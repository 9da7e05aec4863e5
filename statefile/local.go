package statefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// local keeps the state in a file, with a backup and the lock's files beside it.
type local struct {
	path     string
	files    fileSystem
	held     fileLock // nil when the lock is not held by this backend
	heldID   string
	backedUp bool // the backup holds the state before this run
}

// Local is the backend that keeps the state in a file on this machine. The
// folder of the file must exist.
func Local(path string) Backend { return newLocal(path, systemFiles()) }

func newLocal(path string, files fileSystem) *local { return &local{path: path, files: files} }

func (l *local) Location() string { return l.path }

// Read follows a symbolic link to the state, and tells one that leads nowhere
// from a state that is not there yet.
func (l *local) Read(context.Context) (Snapshot, error) {
	content, err := l.files.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) && !isLink(l.path) {
		return Snapshot{}, nil
	}
	if err != nil {
		return Snapshot{}, &FileError{Path: l.path, Doing: "read the state", Err: err}
	}
	if content == nil {
		content = []byte{}
	}
	return Snapshot{Content: content}, nil
}

// Write keeps the content before the first write of a run in the backup file.
func (l *local) Write(ctx context.Context, content []byte, before Snapshot) error {
	if err := CheckSize(content); err != nil {
		return err
	}
	now, err := l.Read(ctx)
	if err != nil {
		return err
	}
	if (now.Content == nil) != (before.Content == nil) || !bytes.Equal(now.Content, before.Content) {
		return fmt.Errorf("%w: the file changed just now", ErrMoved)
	}
	if before.Content != nil && !l.backedUp {
		if err := replace(l.files, l.path+backupSuffix, before.Content); err != nil {
			return &FileError{Path: l.path + backupSuffix, Doing: "keep the state before this run", Err: err}
		}
		l.backedUp = true
	}
	if err := replace(l.files, resolve(l.path), content); err != nil {
		return &FileError{Path: l.path, Doing: "write the state", Err: err}
	}
	return nil
}

// resolve follows a symbolic link, so that the file behind it is replaced and
// the link stays.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}
