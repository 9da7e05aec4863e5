package onnx

import (
	"bytes"
	"errors"
	"io"
)

// lfsPointer begins the text that Git LFS leaves in the place of a file.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// detect recognises files that are often taken for ONNX models.
func detect(in io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 64))
	if _, err := in.ReadAt(head, 0); err != nil {
		return err
	}
	switch {
	case size == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(head, []byte(lfsPointer)):
		return errors.New("this is a Git LFS pointer and not the model: run `git lfs pull`")
	case len(head) >= 8 && string(head[4:8]) == "ORTM":
		return errors.New("this is a model in ONNX Runtime's own format (.ort), which cannot be cut: use the .onnx file that it was made from")
	case len(head) >= 8 && string(head[4:8]) == "TFL3":
		return errors.New("this is a TensorFlow Lite model: convert it to ONNX")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("this is a zip archive, such as a PyTorch checkpoint: export the model to ONNX")
	case bytes.HasPrefix(head, []byte("<!DOCTYPE")), bytes.HasPrefix(head, []byte("<html")):
		return errors.New("this is a web page and not the model: download the file itself")
	}
	return nil
}
