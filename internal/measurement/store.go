package measurement

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Read reads the measurements of a configuration folder; without a file there are none.
// What is wrong with the content of the file is *Faults.
func Read(dir string) (*Measurements, error) {
	path := filepath.Join(dir, FileName)
	src, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sorted(&Measurements{}), nil
	}
	if err != nil {
		return nil, err
	}
	return Decode(path, src)
}

// Load gives the content of the file, which Decode reads. It is fs.ErrNotExist where there
// is none.
func Load(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder; measurements are in a file of that name. Move the folder away", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file; measurements are in one. Move it away", path)
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("%s has %d bytes, and %d are the most that is read. Remove it and run `edgeplan probe` again", path, info.Size(), maxFileBytes)
	}
	return os.ReadFile(path)
}

// Write puts measurements into a configuration folder, whole or not at all. A file that is
// there keeps its permissions, and one that would not change is left alone; a symbolic
// link stays one.
func Write(dir string, m *Measurements) error {
	content, err := Encode(m)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, FileName)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if before, err := Load(path); err == nil && bytes.Equal(before, content) {
		return nil
	}
	if err := renameio.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
