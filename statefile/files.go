package statefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// fileSystem is every operation on files that recording a state needs, so that
// a test can let each of them fail.
type fileSystem interface {
	ReadFile(path string) ([]byte, error)
	// CreateTemp makes a new file of mode 0600, named as os.CreateTemp does.
	CreateTemp(dir, pattern string) (tempFile, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

type tempFile interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

// replace makes content the content of the file at path, or leaves the file as
// it was: temporary file in the same folder, fsync, rename, fsync of the
// folder. When only the last step fails the file is replaced already.
func replace(files fileSystem, path string, content []byte) (replaced bool, err error) {
	temp, err := writeTemp(files, path, content)
	if err != nil {
		return false, err
	}
	if err := files.Rename(temp, path); err != nil {
		_ = files.Remove(temp)
		return false, err
	}
	if err := files.SyncDir(filepath.Dir(path)); err != nil {
		return true, fmt.Errorf("written, but a loss of power may undo it: %w", err)
	}
	return true, nil
}

// writeTemp writes content to a new file beside path and gives its name.
func writeTemp(files fileSystem, path string, content []byte) (string, error) {
	f, err := files.CreateTemp(filepath.Dir(path), tempPattern(path))
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = files.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// tempPattern names temporary files so that a later run can find and remove
// what a killed run left.
func tempPattern(path string) string { return "." + filepath.Base(path) + ".*.tmp" }

// removeLeftovers removes the temporary files of runs that were killed. Call it
// with the lock held.
func removeLeftovers(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		for _, name := range []string{StateFile, BackupFile, EmergencyFile, LockInfoFile} {
			if ok, _ := filepath.Match(tempPattern(name), entry.Name()); ok {
				_ = os.Remove(filepath.Join(dir, entry.Name()))
			}
		}
	}
}

// osFiles is the file system of the operating system.
type osFiles struct{}

func (osFiles) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
func (osFiles) Rename(from, to string) error         { return os.Rename(from, to) }
func (osFiles) Remove(path string) error             { return os.Remove(path) }

func (osFiles) CreateTemp(dir, pattern string) (tempFile, error) {
	return os.CreateTemp(dir, pattern)
}

func (osFiles) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	// Some network file systems cannot sync a folder; there is nothing better to do on them.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
