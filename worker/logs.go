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
	f := follower{path: filepath.Join(dir, LogFile), out: w}
	err := f.lastLines(lines)
	for err == nil && follow && ctx.Err() == nil {
		select {
		case <-time.After(followEvery):
			err = f.rest()
		case <-ctx.Done():
		}
	}
	return err
}

// follower reads a file that grows.
type follower struct {
	path   string
	out    io.Writer
	seen   os.FileInfo // the file that offset is of; nil before there was one
	offset int64
}

// lastLines writes the last lines of the file.
func (f *follower) lastLines(lines int) error {
	data, err := f.read(0)
	start := len(data)
	for end := len(bytes.TrimSuffix(data, []byte("\n"))); lines > 0; lines-- {
		start = bytes.LastIndexByte(data[:end], '\n') + 1
		if start == 0 {
			break
		}
		end = start - 1
	}
	if err == nil {
		_, err = f.out.Write(data[start:])
	}
	return err
}

// rest writes what was added since.
func (f *follower) rest() error {
	data, err := f.read(f.offset)
	if err == nil {
		_, err = f.out.Write(data)
	}
	return err
}

// read gives what stands behind an offset; all of it where the file is another one
// or was cut. There is nothing in a file that is not there.
func (f *follower) read(offset int64) ([]byte, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if f.seen != nil && !os.SameFile(f.seen, info) || info.Size() < offset {
		offset = 0
	}
	data, err := io.ReadAll(io.NewSectionReader(file, offset, info.Size()-offset)) // at most maxLogBytes and what was written since
	f.seen, f.offset = info, offset+int64(len(data))
	return data, err
}
