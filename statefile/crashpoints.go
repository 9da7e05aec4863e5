//go:build crashpoints

package statefile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// This file is part of no build that anyone is given: the crash test of
// cmd/edgeplan builds with the tag crashpoints. EDGEPLAN_CRASH_AT=N then makes the
// N-th operation on the files of the state the end of the process, with SIGKILL and
// not carried out; a write counts twice, for half of it is carried out first.
// EDGEPLAN_CRASH_LOG names a file that gets a line for every operation before it.

// systemFiles is the file system that states are kept in.
func systemFiles() fileSystem { return &crashFiles{} }

// crashes counts the operations of the process.
var crashes struct {
	sync.Mutex
	count int
}

// point is a moment at which the process may end.
func point(operation, path string) {
	crashes.Lock()
	defer crashes.Unlock()
	crashes.count++
	if at, err := strconv.Atoi(os.Getenv("EDGEPLAN_CRASH_AT")); err == nil && at == crashes.count {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if log, err := os.OpenFile(os.Getenv("EDGEPLAN_CRASH_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		fmt.Fprintln(log, operation, filepath.Base(path))
		_ = log.Close()
	}
}

type crashFiles struct{ osFiles }

func (f *crashFiles) ReadFile(path string) ([]byte, error) {
	point("read", path)
	return f.osFiles.ReadFile(path)
}

func (f *crashFiles) CreateTemp(dir, pattern string) (tempFile, error) {
	point("create", pattern)
	temp, err := f.osFiles.CreateTemp(dir, pattern)
	return &crashTemp{temp}, err
}

func (f *crashFiles) Rename(from, to string) error {
	point("rename", to)
	return f.osFiles.Rename(from, to)
}

func (f *crashFiles) Remove(path string) error {
	point("remove", path)
	return f.osFiles.Remove(path)
}

func (f *crashFiles) SyncDir(dir string) error {
	point("sync-folder", dir)
	return f.osFiles.SyncDir(dir)
}

func (f *crashFiles) TryLock(path string) (fileLock, error) {
	point("lock", path)
	lock, err := f.osFiles.TryLock(path)
	if lock == nil {
		return nil, err
	}
	return &crashLock{lock, path}, err
}

type crashLock struct {
	fileLock
	path string
}

func (l *crashLock) Unlock() error {
	point("unlock", l.path)
	return l.fileLock.Unlock()
}

type crashTemp struct{ tempFile }

func (t *crashTemp) Write(p []byte) (int, error) {
	point("write", t.Name())
	n, err := t.tempFile.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	point("write-rest", t.Name())
	m, err := t.tempFile.Write(p[len(p)/2:])
	return n + m, err
}

func (t *crashTemp) Sync() error {
	point("sync", t.Name())
	return t.tempFile.Sync()
}

func (t *crashTemp) Close() error {
	point("close", t.Name())
	return t.tempFile.Close()
}
