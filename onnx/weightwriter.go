package onnx

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/zeebo/xxh3"
)

// weightWriter writes weights into a folder, several at a time.
type weightWriter struct {
	dir   string
	sizes map[int64]bool // of the weights that the folder has already

	mutex sync.Mutex
	names map[*payload]string
}

// write writes a weight, unless it is there, and notes its name. Where the folder has
// a weight of this size, the name is found before anything is written.
func (w *weightWriter) write(ctx context.Context, p *payload) error {
	if w.sizes[p.bytes] {
		name, err := p.name(ctx, io.Discard)
		if err != nil {
			return err
		}
		path := filepath.Join(w.dir, name)
		if present(path, p.bytes) {
			w.note(p, name)
			return w.checkSame(path, p)
		}
	}
	var name string
	temporary, err := stage(w.dir, func(out *os.File) (err error) {
		name, err = p.name(ctx, out)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.publish(temporary, filepath.Join(w.dir, name), p); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	w.note(p, name)
	return nil
}

// publish gives a whole file its name. Where another weight of this model has it
// already, both have to be the same.
func (w *weightWriter) publish(temporary, path string, p *payload) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !present(path, p.bytes) {
		return os.Rename(temporary, path)
	}
	if err := w.checkSame(path, p); err != nil {
		return err
	}
	return os.Remove(temporary)
}

// checkSame compares a file with the weight that has its name, since the digest is
// made for speed and can be made to collide.
func (w *weightWriter) checkSame(path string, p *payload) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, err := p.open()
	if err != nil {
		return err
	}
	defer in.Close()
	same, err := sameBytes(file, in)
	if err == nil && !same {
		err = fmt.Errorf("%s holds something else than the weight of that name: choose an empty folder", path)
	}
	return err
}

func (w *weightWriter) note(p *payload, name string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.names[p] = name
}

// name is the XXH3 digest of the elements, 32 hex digits, which are written on the way.
func (p *payload) name(ctx context.Context, out io.Writer) (string, error) {
	in, err := p.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	return copyHashed(ctx, out, in, xxh3.New128())
}
