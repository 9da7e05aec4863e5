package onnx

import (
	"fmt"
	"io"
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
		if err := writeBlob(filepath.Join(dir, blob.Digest), blob); err != nil {
			return "", fmt.Errorf("writing a weight of %s: %w", c.Path, err)
		}
	}
	path := filepath.Join(dir, "model.onnx")
	return path, os.WriteFile(path, s.Graph, 0o644)
}

func writeBlob(path string, blob Blob) error {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == blob.Size {
		return nil
	}
	in, err := blob.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(path), ".weight-*")
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Chmod(0o644)
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return err
}
