package onnx

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/zeebo/blake3"
)

// weightWriter writes weights into a folder, several at a time.
type weightWriter struct {
	dir   string
	sizes map[int64]bool // of the weights that the folder has already
	disk  sync.Mutex     // held while writing: two writers at a time get in each other's way

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
		if present(filepath.Join(w.dir, name), p.bytes) {
			w.note(p, name)
			return nil
		}
	}
	return writeFile(w.dir, func(out *os.File) (string, error) {
		name, err := p.name(ctx, exclusive{out, &w.disk})
		w.note(p, name)
		return filepath.Join(w.dir, name), err
	})
}

func (w *weightWriter) note(p *payload, name string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.names[p] = name
}

// exclusive is a writer that holds a lock while it writes.
type exclusive struct {
	io.Writer
	lock sync.Locker
}

// Write implements io.Writer.
func (e exclusive) Write(data []byte) (int, error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.Writer.Write(data)
}

// name is the BLAKE3 digest of the elements, which are written on the way.
func (p *payload) name(ctx context.Context, out io.Writer) (string, error) {
	in, err := p.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	return copyHashed(ctx, out, in, blake3.New())
}
