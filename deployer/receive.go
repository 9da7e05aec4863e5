package deployer

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"
)

const (
	// receivedBytes is from how many bytes on a file goes to the worker program on the device
	// instead of the SFTP server: it hashes and flushes while it writes, but each file costs
	// round trips.
	receivedBytes = 16 << 20
	// receiveAtOnce leaves most of the sessions that a server allows to others.
	receiveAtOnce = 2
)

// receiver is the worker program that can take a file, or "".
func (u *uploading) receiver(p parcel, as form) string {
	if p.packed() || as != plain || p.content() < receivedBytes {
		return ""
	}
	return u.helperProgram()
}

// receive lets a worker program write the file of a parcel from an offset on.
func (u *uploading) receive(ctx context.Context, program, name string, offset int64, r *sizedReader) error {
	if err := take(ctx, u.receiving); err != nil {
		return err
	}
	defer func() { <-u.receiving }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := func() { cancel(errors.New("the device takes nothing more")) }
	silence := time.AfterFunc(u.o.AnswerTimeout+secondsFor(offset), silent) // it reads what is there first
	defer silence.Stop()
	told, left := r.moved, r.size
	r.moved = func(n int) {
		left -= int64(n)
		limit := u.o.AnswerTimeout
		if left == 0 {
			limit += secondsFor(r.size) // it may take that to flush it
		}
		silence.Reset(limit)
		told(n)
	}
	out, err := u.runWith(ctx, r, program, "receive", u.blob(name), strconv.FormatInt(offset, 10))
	if err != nil {
		return err
	}
	return u.received(out, name)
}

// received keeps the digest that the worker program printed.
func (u *uploading) received(out, name string) error {
	sums := map[string]string{}
	if err := parseSums(out, sums); err != nil {
		return err
	}
	u.sums.Store(name, sums[u.blob(name)])
	return nil
}

// runWith executes a command that reads what is given; ctx alone bounds its time.
func (d *device) runWith(ctx context.Context, in io.Reader, args ...string) (string, error) {
	l, err := d.connected(ctx)
	if err != nil {
		return "", err
	}
	return l.run(ctx, in, args...)
}
