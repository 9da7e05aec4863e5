package deployer

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// receiveAtOnce sessions take files: each has at most 2 MiB under way with OpenSSH, and a
// server allows some ten for everything.
const receiveAtOnce = 2

// receivers are the sessions of one upload in which files are received.
type receivers struct {
	slots chan struct{}

	mu      sync.Mutex
	idle    []*receiver
	refused string // the program of which the device opens no more
}

func newReceivers() *receivers { return &receivers{slots: make(chan struct{}, receiveAtOnce)} }

// pop gives one that was opened, or nil, and says whether another can be, of a program. The
// caller holds a slot.
func (r *receivers) pop(program string) (one *receiver, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle) == 0 {
		return nil, r.refused != program
	}
	last := r.idle[len(r.idle)-1]
	r.idle = r.idle[:len(r.idle)-1]
	return last, true
}

// refuse opens no more of a program, and says whether that is new. Another program may do better.
func (r *receivers) refuse(program string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.refused != program
	r.refused = program
	return changed
}

// push gives back one that may take more.
func (r *receivers) push(one *receiver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-one.done: // a write to it may still be held up
	default:
		r.idle = append(r.idle, one)
	}
}

// receiver takes a session from those of the upload, for a parcel; nil where the device has none.
func (u *uploading) receiver(ctx context.Context, p parcel) (*receiver, error) {
	program := u.helperProgram()
	if program == "" || p.again || p.name == u.ahead { // SFTP tells how fast the line is
		return nil, nil
	}
	if err := take(ctx, u.receivers.slots); err != nil {
		return nil, err
	}
	r, more := u.receivers.pop(program)
	var err error
	if r == nil && more {
		r, err = u.openReceiver(ctx, program)
	}
	if r == nil {
		<-u.receivers.slots
	}
	return r, err
}

// openReceiver gives nil where the program does not do it, which is no failure.
func (u *uploading) openReceiver(ctx context.Context, program string) (*receiver, error) {
	l, err := u.connected(ctx)
	if err != nil {
		return nil, err
	}
	r, err := openReceiver(u.ctx, l, u.o, program, u.blobs())
	if err != nil && ctx.Err() == nil && !u.isLost() {
		u.receivers.refuse(program)
		return nil, nil
	}
	return r, err
}

// outgoing is a file that a receiver gets.
type outgoing struct {
	worker.Incoming
	content body
}

// members are the files of a packed parcel, which needs no archive then.
func (u *uploading) members(p parcel) []outgoing {
	var list []outgoing
	for i, blob := range p.blobs {
		list = append(list, outgoing{
			worker.Incoming{Name: p.members[i], Size: blob.Size, Program: isProgram(blob)}, contentOf(u.source, blob),
		})
	}
	return list
}

// hand gives the files of a parcel to a receiver, and takes that back from the caller.
func (u *uploading) hand(ctx context.Context, r *receiver, p parcel, files []outgoing) (digests, error) {
	defer func() { u.receivers.push(r); <-u.receivers.slots }()
	report := u.progressOf(p)
	var sent []*coming
	for _, file := range files {
		c, err := u.handOne(ctx, r, file, report)
		if err != nil {
			return nil, err
		}
		sent = append(sent, c)
	}
	if err := r.flush(ctx); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (map[string]string, error) {
		sums := map[string]string{}
		for i, c := range sent {
			sum, err := r.digest(ctx, c)
			if err != nil {
				return nil, err
			}
			sums[files[i].Name] = sum
		}
		return sums, nil
	}, nil
}

func (u *uploading) handOne(ctx context.Context, r *receiver, file outgoing, report func(int64)) (*coming, error) {
	content, err := file.content.openAt(file.Offset)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	moved := meter(report, 1)
	moved(int(file.Offset))
	from := &sizedReader{Reader: content, ctx: ctx, size: file.Size - file.Offset, moved: moved}
	c, err := r.send(ctx, file.Incoming, from)
	u.wire.Add(from.size)
	return c, err
}

// send gives a receiver a file, of which some may wait to be flushed; its digest comes later.
func (r *receiver) send(ctx context.Context, file worker.Incoming, content *sizedReader) (*coming, error) {
	c := &coming{size: file.Size, digest: make(chan string, 1)}
	r.mu.Lock()
	r.coming[file.Name] = c
	r.owed += file.Offset
	r.mu.Unlock()
	err := r.during(ctx, func() error {
		if _, err := r.in.WriteString(file.Line()); err != nil {
			return err
		}
		n, err := io.Copy(r.in, io.LimitReader(content, content.size+1))
		if err == nil && n != content.size {
			return changedSize(n, content.size)
		}
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owed += file.Size - file.Offset // also where it has answered already
	return c, err
}

// giveUp is for a failure on this side, which is told of here and nowhere else.
func (r *receiver) giveUp(err error) error {
	r.mu.Lock()
	r.blamed = true
	r.mu.Unlock()
	r.end(err)
	return err
}

func (r *receiver) flush(ctx context.Context) error { return r.during(ctx, r.in.Flush) }

// during does something to the input of a receiver, which is over when that ends.
func (r *receiver) during(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	r.writes(1)
	go func() {
		err := do()
		r.writes(-1)
		result <- err
	}()
	select {
	case err := <-result:
		if err == nil {
			return nil
		}
		if !errors.Is(err, io.EOF) { // which says that it has ended, and not why
			return r.giveUp(err)
		}
		<-r.done
	case <-ctx.Done():
		err := r.giveUp(context.Cause(ctx))
		endsSoon(result)
		return err
	case <-r.done:
		endsSoon(result)
	}
	return r.why(ctx)
}

// endsSoon waits for a write to a receiver that has ended, which reads a file of the caller.
func endsSoon(result <-chan error) {
	select {
	case <-result:
	case <-time.After(endGrace): // the line is dead
	}
}

// digest waits for that of a file on the device.
func (r *receiver) digest(ctx context.Context, c *coming) (string, error) {
	select {
	case sum := <-c.digest:
		return sum, nil
	case <-r.done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	select {
	case sum := <-c.digest:
		return sum, nil
	default:
		return "", r.why(ctx)
	}
}
