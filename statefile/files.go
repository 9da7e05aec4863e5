package statefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// fileSystem is every operation on files that the local state and its lock need,
// so that a test can let each of them fail, or be the last of the process.
type fileSystem interface {
	ReadFile(path string) ([]byte, error)
	// CreateTemp makes a new file of mode 0600, named as os.CreateTemp does.
	CreateTemp(dir, pattern string) (tempFile, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
	// TryLock takes the lock on a file, which it creates where it is missing. It
	// gives nil while another process holds the lock.
	TryLock(path string) (fileLock, error)
}

// fileLock is a held lock on a file. The operating system takes it back when the
// process ends.
type fileLock interface {
	Unlock() error
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
func replace(files fileSystem, path string, content []byte) error {
	temp, err := writeTemp(files, path, content)
	if err != nil {
		return err
	}
	if err := files.Rename(temp, path); err != nil {
		_ = files.Remove(temp)
		return err
	}
	return files.SyncDir(filepath.Dir(path))
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

// removeLeftovers removes the temporary files beside a path that runs left when
// they were killed. Call it with the lock held.
func removeLeftovers(files fileSystem, path string) {
	left, err := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), tempPattern(escapeGlob(filepath.Base(path)))))
	if err != nil {
		return
	}
	for _, file := range left {
		_ = files.Remove(file)
	}
}

// escapeGlob quotes what filepath.Glob would take for a pattern.
func escapeGlob(path string) string {
	return globMeta.Replace(path)
}

var globMeta = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

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

func (osFiles) TryLock(path string) (fileLock, error) {
	lock := flock.New(path, flock.SetPermissions(0o600))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil, err
	}
	return lock, nil
}
