package onnx

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteSlice writes a slice as plain files that any runtime opens: model.onnx, and
// a file for each weight beside it, named by digest. Weights that are there already
// with the right size are kept. It gives the path of the model.
func (c *Chain) WriteSlice(dir string, s *Slice) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, blob := range s.Weights {
		if err := writeBlob(dir, blob); err != nil {
			return "", fmt.Errorf("writing a weight of %s: %w", c.Path, err)
		}
	}
	path := filepath.Join(dir, "model.onnx")
	return path, os.WriteFile(path, s.Graph, 0o644)
}

// writeBlob writes a weight whose digest is known.
func writeBlob(dir string, blob Blob) error {
	path := filepath.Join(dir, blob.Digest)
	if present(path, blob.Size) {
		return nil
	}
	in, err := blob.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(dir, func(out *os.File) (string, error) {
		digest, err := copyHashed(context.Background(), out, in, sha256.New())
		if err == nil && digest != blob.Digest {
			err = fmt.Errorf("the elements have the digest %s, and had %s before: the model's files have changed, start again", digest, blob.Digest)
		}
		return path, err
	})
}

// present says whether a weight is there already.
func present(path string, size int64) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// writeFile makes a file under a temporary name and gives it the one that fill
// returns when it is whole.
func writeFile(dir string, fill func(out *os.File) (path string, err error)) error {
	var path string
	temporary, err := stage(dir, func(out *os.File) (err error) {
		path, err = fill(out)
		return err
	})
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return nil
}

// stage makes a whole file under a temporary name, or none.
func stage(dir string, fill func(out *os.File) error) (temporary string, err error) {
	out, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		return "", err
	}
	err = fill(out)
	if closeErr := closeReadable(out); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return out.Name(), err
}

// closeReadable closes a temporary file, for all to read.
func closeReadable(out *os.File) error { return errors.Join(out.Chmod(0o644), out.Close()) }
