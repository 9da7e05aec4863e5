package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

var errNotRegular = errors.New("it is not a regular file")

func errTooLarge(limit int64) error {
	return fmt.Errorf("it is larger than %s", quantity.FormatBytes(limit))
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := statRegular(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &os.PathError{Op: "read", Path: path, Err: errTooLarge(limit)}
	}
	return os.ReadFile(path)
}

func statRegular(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	return info, nil
}
