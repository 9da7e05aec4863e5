package gift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/peer"
)

const (
	blockBytes = 256 << 10
	tellEvery  = time.Second
	received   = 'r' // what the taker says in the end
)

// Take does what a TakeRequest on in asks for, in the folder of blobs, and reports on out. What
// has come when it fails stays as part files.
func Take(ctx context.Context, folder string, in io.Reader, out io.Writer) error {
	var request TakeRequest
	ctx, err := readRequest(ctx, in, &request)
	if err != nil {
		return err
	}
	if err := check(request.Secret, request.Files); err != nil {
		return err
	}
	if !prefixPattern.MatchString(request.Prefix) {
		return fmt.Errorf("%q begins no name of a part file", request.Prefix)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	t := &taking{root: root, prefix: request.Prefix, reports: json.NewEncoder(out)}
	conn, err := t.await(ctx, request)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := t.all(conn, request.Files); err != nil {
		return because(ctx, err)
	}
	return t.reports.Encode(Report{Bytes: t.bytes, Done: true})
}

// taking is one call of Take.
type taking struct {
	root    *os.Root
	prefix  string
	reports *json.Encoder
	bytes   int64
	told    time.Time
}

// await waits for the giver.
func (t *taking) await(ctx context.Context, request TakeRequest) (net.Conn, error) {
	certificate, key, err := newKey()
	if err != nil {
		return nil, err
	}
	listener, err := peer.Listen(request.Host, request.Port)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	if err := t.reports.Encode(Report{Port: listener.Addr().(*net.TCPAddr).Port, Key: key}); err != nil {
		return nil, err
	}
	conn, err := peer.Await(ctx, listener, admit(certificate, request.Secret))
	if errors.Is(err, peer.ErrStranger) || errors.Is(err, peer.ErrNobody) {
		return nil, fmt.Errorf("the other device did not come to port %d: %w", listener.Addr().(*net.TCPAddr).Port, err)
	}
	return conn, err
}

func (t *taking) all(conn net.Conn, files []File) error {
	for _, f := range files {
		if err := t.one(conn, f); err != nil {
			return fmt.Errorf("%s: %w", f.Digest[:12], err)
		}
	}
	_ = conn.SetWriteDeadline(time.Now().Add(silence))
	_, err := conn.Write([]byte{received})
	return err
}

func (t *taking) one(conn net.Conn, f File) error {
	part := &partFile{root: t.root, name: t.prefix + f.Digest}
	if f.Size == 0 {
		return errors.Join(part.begin(), part.close())
	}
	return errors.Join(t.copy(part, conn, f.Size), part.close())
}

// partFile is written anew, once something has come: what an earlier run has left of it may be
// anything, but an upload goes on from there where nothing comes.
type partFile struct {
	root *os.Root
	name string
	file *os.File // nil before the first write
}

func (p *partFile) Write(block []byte) (int, error) {
	if p.file == nil {
		if err := p.begin(); err != nil {
			return 0, err
		}
	}
	return p.file.Write(block)
}

func (p *partFile) begin() (err error) {
	if err := p.root.Remove(p.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.file, err = p.root.OpenFile(p.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err == nil { // a later run leaves it to this one then (worker.ErrIncomingHeld); a file system without locks has none
		_ = syscall.Flock(int(p.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	return err
}

func (p *partFile) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

func (t *taking) copy(file io.Writer, conn net.Conn, size int64) error {
	block := make([]byte, min(size, blockBytes))
	for left := size; left > 0; {
		n, err := fill(conn, block[:min(left, blockBytes)])
		if err != nil {
			return fmt.Errorf("the other device stopped in the middle, with %d bytes to come: %w", left-int64(n), cutOr(err))
		}
		if _, err := file.Write(block[:n]); err != nil {
			return err
		}
		left -= int64(n)
		t.tell(n)
	}
	return nil
}

// fill reads a block whole; every part of it may take some time.
func fill(conn net.Conn, block []byte) (n int, err error) {
	for n < len(block) {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		m, err := conn.Read(block[n:])
		n += m
		if err != nil && n < len(block) {
			return n, err
		}
	}
	return n, nil
}

// cutOr says of a timeout what it means.
func cutOr(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("nothing came or went for %s: %w", silence, err)
	}
	return err
}

// tell reports what has come, but not all the time.
func (t *taking) tell(n int) {
	t.bytes += int64(n)
	if time.Since(t.told) >= tellEvery {
		t.told = time.Now()
		_ = t.reports.Encode(Report{Bytes: t.bytes}) // the operator's end comes with an error of its own
	}
}
