package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// followEvery is how often a log that is followed is looked at.
const followEvery = 250 * time.Millisecond

// Logs writes the last lines of the log of a release folder's worker, and with
// follow what is added to it, until ctx ends. A log that is put aside for a new
// one is followed there. That there is no log yet is no error.
func Logs(ctx context.Context, dir string, lines int, follow bool, w io.Writer) error {
	path := filepath.Join(dir, LogFile)
	offset, err := lastLines(path, lines, w)
	for err == nil && follow && ctx.Err() == nil {
		select {
		case <-time.After(followEvery):
			offset, err = copyFrom(path, offset, w)
		case <-ctx.Done():
		}
	}
	return err
}

// lastLines writes the last lines of a file and gives its length.
func lastLines(path string, lines int, w io.Writer) (int64, error) {
	data, err := os.ReadFile(path) // at most maxLogBytes and what was written since
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	start := len(data)
	for end := len(bytes.TrimSuffix(data, []byte("\n"))); lines > 0; lines-- {
		start = bytes.LastIndexByte(data[:end], '\n') + 1
		if start == 0 {
			break
		}
		end = start - 1
	}
	_, err = w.Write(data[start:])
	return int64(len(data)), err
}

// copyFrom writes what stands behind an offset and gives the new length; a file
// that has become shorter is another one, and is written whole.
func copyFrom(path string, offset int64, w io.Writer) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return offset, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return offset, err
	}
	if info.Size() < offset {
		offset = 0
	}
	n, err := io.Copy(w, io.NewSectionReader(f, offset, info.Size()-offset))
	return offset + n, err
}
