package onnx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/edgeplan/edgeplan/internal/onnxpb"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// payload is the elements of a tensor, left where they are: a range of a file.
type payload struct {
	file         *source
	offset, size int64            // bytes in the file
	field        protowire.Number // rawDataField: the elements themselves; otherwise a TensorProto that holds them in this field
	elem         tensor.Type
	bytes        int64 // size of the elements, once checked against the shape

	mutex sync.Mutex
	sum   string // digest, once known
}

// check compares the payload's size with the tensor's shape.
func (p *payload) check(t *onnxpb.TensorProto) error {
	info := tensor.Info{Name: t.GetName(), Type: tensor.Type(t.GetDataType()), Shape: t.GetDims()}
	want, err := info.Bytes()
	if err != nil {
		return err
	}
	p.bytes, p.elem = want, info.Type
	if p.field == rawDataField && p.size != want {
		return fmt.Errorf("tensor %q: %d bytes of data for shape %v of %s, which takes %d", t.GetName(), p.size, info.Shape, info.Type, want)
	}
	// A number takes at least one byte in the file, so a small message holds no
	// large tensor.
	if p.field != rawDataField && want > 16*p.size {
		return fmt.Errorf("tensor %q: shape %v of %s takes %d bytes, and the file holds %d at offset %d", t.GetName(), info.Shape, info.Type, want, p.size, p.offset)
	}
	return nil
}

// open gives the elements as they are in memory: little-endian, row-major.
func (p *payload) open() (io.ReadCloser, error) {
	section, err := p.file.section(p.offset, p.size)
	if err != nil || p.field == rawDataField {
		return section, err
	}
	return struct {
		io.Reader
		io.Closer
	}{newTypedReader(section, p), section}, nil
}

// read gives all elements.
func (p *payload) read() ([]byte, error) {
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var buf bytes.Buffer
	buf.Grow(int(p.bytes))
	if _, err := io.Copy(&buf, r); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// digest is the sha256 of the elements, found once.
func (p *payload) digest(ctx context.Context) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.sum != "" {
		return p.sum, nil
	}
	r, err := p.open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	p.sum, err = digestOf(ctx, r)
	return p.sum, err
}
