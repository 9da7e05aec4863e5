package onnx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// source is a file that weights are read from: the model file, or one beside it.
type source struct {
	folder string // weights outside this folder are refused
	name   string // relative to the folder
	size   int64
	stamp  time.Time
}

// newSource looks at a file without reading it.
func newSource(folder, name string) (*source, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its other end
		return nil, fmt.Errorf("%s is not a regular file", filepath.Join(folder, name))
	}
	return &source{folder: folder, name: name, size: info.Size(), stamp: info.ModTime()}, nil
}

// openInside opens a file of a folder and refuses names and symbolic links that
// lead out of it, as the engine does.
func openInside(folder, name string) (*os.File, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(name))
}

// modelSource opens the model file itself, which may be a symbolic link to anywhere.
func modelSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.IsDir() {
		return nil, errors.New("this is a folder: give the .onnx file in it")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	return newSource(filepath.Dir(real), filepath.Base(real))
}

// withoutPath leaves out the path that an error of the file system names, where the
// caller names it too.
func withoutPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func (s *source) path() string { return filepath.Join(s.folder, s.name) }

// open opens the file again, and fails when it is not the one that was read.
func (s *source) open() (*os.File, error) {
	file, err := openInside(s.folder, s.name)
	if err != nil {
		return nil, err
	}
	if err := s.unchanged(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// unchanged fails when an open file is not the one that was read.
func (s *source) unchanged(file *os.File) error {
	info, err := file.Stat()
	if err == nil && (info.Size() != s.size || !info.ModTime().Equal(s.stamp)) {
		err = fmt.Errorf("%s has changed since it was read: start again", s.path())
	}
	return err
}

// section opens a range of the file.
func (s *source) section(offset, size int64) (io.ReadCloser, error) {
	file, err := s.open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, offset, size), file}, nil
}

// digest is the sha256 of the whole file.
func (s *source) digest(ctx context.Context) (string, error) {
	file, err := s.open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digestOf(ctx, file)
}

// missing says whether an error means that there is no such file.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
