package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	maxLogBytes  = 4 << 20 // a longer log is put aside, in place of the one before
	oldLogSuffix = ".1"
	// failureEvery is the least time between two failed inferences in the log.
	failureEvery = time.Second
)

// failureLog writes down failed inferences, but not each: with a broken engine
// every request is one. It is for one goroutine.
type failureLog struct {
	log     *slog.Logger
	last    time.Time
	skipped int
}

func (f *failureLog) note(now time.Time, id string, err error) {
	if now.Sub(f.last) < failureEvery {
		f.skipped++
		return
	}
	args := []any{"request", id, "error", err}
	if f.skipped > 0 {
		args = append(args, "failed_since_last_line", f.skipped)
	}
	f.log.Error("inference failed", args...)
	f.last, f.skipped = now, 0
}

// boundLog keeps the log of a worker from filling its device, if w is the log
// file of the release folder. Other files are their owner's business.
func boundLog(w io.Writer, dir string) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	named, err := os.Stat(filepath.Join(dir, LogFile))
	if err != nil {
		return w
	}
	open, err := f.Stat()
	if err != nil || !os.SameFile(named, open) {
		return w
	}
	return &boundedLog{file: f, path: filepath.Join(dir, LogFile)}
}

// boundedLog is for one goroutine at a time, which slog's handlers see to.
type boundedLog struct {
	file *os.File
	path string
}

func (b *boundedLog) Write(p []byte) (int, error) {
	if info, err := b.file.Stat(); err == nil && info.Size()+int64(len(p)) > maxLogBytes {
		if err := b.putAside(); err != nil {
			fmt.Fprintf(b.file, "the log before this line is lost: %v\n", err)
		}
	}
	return b.file.Write(p)
}

// putAside copies the log and empties it. It cannot be renamed: the process
// itself, and the engine in it, write to the same open file.
func (b *boundedLog) putAside() error {
	from, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(b.path+oldLogSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, copied := io.Copy(to, io.LimitReader(from, 2*maxLogBytes))
	_, end := b.file.Seek(0, io.SeekStart)                          // for a file that was not opened for appending
	return errors.Join(copied, to.Close(), b.file.Truncate(0), end) // emptied even on a full device
}
