package onnx

import (
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// externalPayload finds the elements of a tensor that lie in another file.
func (m *model) externalPayload(t *onnxpb.TensorProto) (*payload, error) {
	entries := map[string]string{}
	for _, e := range t.ExternalData {
		entries[e.GetKey()] = e.GetValue()
	}
	location := entries["location"]
	if location == "" {
		return nil, fmt.Errorf("tensor %q is external data without a location", t.GetName())
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return nil, fmt.Errorf("tensor %q: its external data %q lies outside of the model's folder, which is not allowed", t.GetName(), location)
	}
	file, err := m.externalFile(location)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	want, err := tensor.Info{Name: t.GetName(), Type: tensor.Type(t.GetDataType()), Shape: t.GetDims()}.Bytes()
	if err != nil {
		return nil, err
	}
	offset, err := entry(t, entries, "offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := entry(t, entries, "length", want)
	if err != nil {
		return nil, err
	}
	if offset > file.size || length > file.size-offset {
		return nil, fmt.Errorf("tensor %q: %s has %d bytes%s, and the tensor's %d begin at %d: the file is cut short, or not the one that belongs to the model",
			t.GetName(), file.path(), file.size, pointerHint(file), length, offset)
	}
	return &payload{file: file, offset: offset, size: length, field: rawDataField}, nil
}

// entry is a number among the external_data entries of a tensor.
func entry(t *onnxpb.TensorProto, entries map[string]string, key string, otherwise int64) (int64, error) {
	text, ok := entries[key]
	if !ok {
		return otherwise, nil
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil || v > math.MaxInt64 {
		return 0, fmt.Errorf("tensor %q: %q is no %s of external data", t.GetName(), text, key)
	}
	return int64(v), nil
}

// externalFile looks at a file beside the model once.
func (m *model) externalFile(location string) (*source, error) {
	if file, ok := m.external[location]; ok {
		return file, nil
	}
	file, err := newSource(m.file.folder, location)
	if missing(err) {
		return nil, fmt.Errorf("its external data %s does not exist: keep the model's data files beside it", filepath.Join(m.file.folder, location))
	}
	if err != nil {
		return nil, fmt.Errorf("its external data: %w", err)
	}
	m.external[location] = file
	return file, nil
}

// pointerHint says when a file is a Git LFS pointer instead of its content.
func pointerHint(file *source) string {
	r, err := file.section(0, min(file.size, int64(len(lfsPointer))))
	if err != nil {
		return ""
	}
	defer r.Close()
	head, _ := io.ReadAll(r)
	if string(head) != lfsPointer {
		return ""
	}
	return " (it is a Git LFS pointer: run `git lfs pull`)"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
