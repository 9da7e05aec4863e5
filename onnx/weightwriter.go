package onnx

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
)

// weightWriter writes weights into a folder, several at a time.
type weightWriter struct {
	dir   string
	sizes map[int64]bool // of the weights that the folder has already
	disk  sync.Mutex     // one file at a time is copied: more of them get in each other's way

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
		name, err := w.copy(ctx, out, p)
		w.note(p, name)
		return filepath.Join(w.dir, name), err
	})
}

func (w *weightWriter) note(p *payload, name string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.names[p] = name
}

// copy writes the elements and gives their name. Elements that lie in the file as they
// are in memory are copied by the system, while their name is found beside.
func (w *weightWriter) copy(ctx context.Context, out *os.File, p *payload) (name string, err error) {
	if p.field != rawDataField {
		return p.name(ctx, out)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		w.disk.Lock()
		defer w.disk.Unlock()
		return p.file.copyRange(ctx, out, p.offset, p.size)
	})
	group.Go(func() (err error) {
		name, err = p.name(ctx, io.Discard)
		return err
	})
	return name, group.Wait()
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

// copyRange copies a range of the file with the system's own means where it has them
// (os.File.ReadFrom), and fails when the file changes meanwhile.
func (s *source) copyRange(ctx context.Context, out *os.File, offset, size int64) error {
	const piece = 32 << 20 // between looks at the context
	in, err := s.open()
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	for left := size; left > 0; left -= piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, min(left, piece)); err != nil {
			return err
		}
	}
	return s.unchanged(in)
}
