package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/worker"
)

// digests gives those of the files that arrived, by temporary name, once they are on the disk.
type digests func(context.Context) (map[string]string, error)

// send brings a parcel to the device: by a worker program there that takes files, else as one
// file by SFTP.
func (u *uploading) send(ctx context.Context, p parcel) (digests, error) {
	if p.packed() {
		if r, err := u.receiver(ctx, p); err != nil {
			return nil, err
		} else if r != nil {
			return u.hand(ctx, r, p, u.members(p))
		}
	}
	content, err := p.body(u.source)
	if err != nil {
		return nil, err
	}
	as := plain
	if packed, ok := u.compressed(p, content); ok {
		content, as = packed, compressed
	}
	return u.sendAs(ctx, p, as, content)
}

// sendAs sends the file of a parcel in a form, or the rest of it.
func (u *uploading) sendAs(ctx context.Context, p parcel, as form, content body) (digests, error) {
	offset, err := u.offset(ctx, p, as, p.name+string(as), content)
	if err != nil {
		return nil, err
	}
	if as == plain && !p.packed() {
		if r, err := u.receiver(ctx, p); err != nil {
			return nil, err
		} else if r != nil {
			file := worker.Incoming{Name: p.name, Offset: offset, Size: content.size, Program: isProgram(p.blobs[0])}
			return u.hand(ctx, r, p, []outgoing{{file, content}})
		}
	}
	return func(ctx context.Context) (map[string]string, error) { return u.hashed(ctx, p, as) }, u.write(ctx, p, as, content, offset)
}

// offset is where to go on in a part file; 0 is a new file.
func (u *uploading) offset(ctx context.Context, p parcel, as form, name string, content body) (int64, error) {
	if p.part == 0 {
		return 0, nil
	}
	if p.found == as {
		if at, err := u.resumeAt(ctx, name, p.part, content); err != nil || at > 0 {
			return at, err
		}
	}
	return 0, u.remove(ctx, u.blob(p.name+string(p.found)))
}

// write writes the file of a parcel by SFTP, from an offset on.
func (u *uploading) write(ctx context.Context, p parcel, as form, content body, offset int64) error {
	r, err := content.openAt(offset)
	if err != nil {
		return err
	}
	defer r.Close()
	share := float64(p.content()) / float64(max(1, content.size))
	moved := meter(u.progressOf(p), share)
	moved(int(offset))
	begun := time.Now()
	from := &sizedReader{Reader: r, ctx: ctx, size: content.size - offset, moved: moved}
	limit := u.o.AnswerTimeout + secondsFor(content.size) // the device may take that to flush it
	err = u.filesFor(ctx, limit, func(c *sftp.Client) error { return writeFile(c, u.blob(p.name+string(as)), offset, from) })
	if err != nil {
		return err
	}
	u.wire.Add(content.size - offset)
	u.measured(content.size-offset, time.Since(begun))
	return nil
}

// meter turns bytes of a file into those of the content that it brings, without
// losing any to rounding.
func meter(report func(int64), share float64) func(int) {
	var moved, reported atomic.Int64
	return func(n int) {
		now := int64(float64(moved.Add(int64(n)))*share + 0.5)
		if step := now - reported.Swap(now); step != 0 {
			report(step)
		}
	}
}

// writeFile writes a new file, or goes on in one at an offset, many packets at once.
func writeFile(c *sftp.Client, file string, offset int64, r *sizedReader) error {
	flags := os.O_WRONLY
	if offset == 0 {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := c.OpenFile(file, flags)
	if err != nil {
		return err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return errors.Join(err, f.Close())
	}
	n, err := f.ReadFrom(r)
	if err == nil && n != r.size {
		err = changedSize(n, r.size)
	}
	return errors.Join(err, f.Close())
}

func changedSize(got, want int64) error {
	return fmt.Errorf("the file on this machine has %d bytes, not %d: it changed since the plan was made", got, want)
}

// sizedReader tells of progress and stops when its context ends. It tells its
// size, without which the SFTP client waits for every single packet.
type sizedReader struct {
	io.Reader
	ctx   context.Context
	size  int64
	moved func(int)
}

// Size of the whole content in bytes.
func (r *sizedReader) Size() int64 { return r.size }

func (r *sizedReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	r.moved(n)
	return n, err
}

// explainWrite asks why a write failed: SFTP calls a full disk just "failure", and its server is
// ended by the system where it writes more than the user may.
func (s *site) explainWrite(ctx context.Context, err error, size int64) error {
	var status *sftp.StatusError
	var command *CommandError
	ended := errors.Is(err, sftp.ErrSSHFxConnectionLost)
	if !ended && !errors.As(err, &status) && !errors.As(err, &command) {
		return err
	}
	if m, measureErr := s.measure(ctx); measureErr == nil && m.fileSize > 0 && size > m.fileSize {
		return fmt.Errorf("%w (%w)", m.tooBig("it", size, s.node.SSH.User), err)
	}
	if ended {
		return fmt.Errorf("the SFTP server on the device has ended (`dmesg` there may tell why): %w", err)
	}
	if full := checkSpace(ctx, s, s.root, size); full != nil {
		return fmt.Errorf("%w (%w)", full, err)
	}
	if command != nil {
		return err // which says what the system said
	}
	return fmt.Errorf("%w; is the file system read-only or a quota reached?", err)
}
