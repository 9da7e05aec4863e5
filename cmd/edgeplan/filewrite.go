package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// writeWhole writes a file of the user's, whole or not at all. A file that is there
// keeps its permissions.
func writeWhole(path string, content []byte, mode fs.FileMode) error {
	return aboutFile(path, renameio.WriteFile(path, content, mode))
}

// writePrivate is writeWhole for what only the owner may read, whoever could read
// the file that was there.
func writePrivate(path string, content []byte) error {
	file, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o600))
	if err != nil {
		return aboutFile(path, err)
	}
	defer file.Cleanup() //nolint:errcheck // nothing is left to clean up once it was renamed
	if _, err := file.Write(content); err != nil {
		return aboutFile(path, err)
	}
	return aboutFile(path, file.CloseAtomicallyReplace())
}

// aboutFile makes an error name the file that was to be written, and not the
// temporary one beside it.
func aboutFile(path string, err error) error {
	if err == nil {
		return nil
	}
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		err = at.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// checkWritable finds before the work that a file cannot be put where it is to be.
func checkWritable(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: there is no folder %s", path, filepath.Dir(path))
	}
	if !info.IsDir() {
		return fmt.Errorf("write %s: %s is no folder", path, filepath.Dir(path))
	}
	return nil
}
