package deployer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/gift"
)

// talk is one end of a passing: a program in an SSH session, which got one line and answers with
// reports. It ends with the session.
type talk struct {
	node    string
	session *ssh.Session
	link    *link
	stderr  *bounded
	reports chan gift.Report // closed in the end
	done    chan struct{}    // closed when the program has ended
	err     error            // why; nil is well, known once done is closed

	closing sync.Once
	closed  chan struct{} // by end
}

// ask starts a worker program on the device and tells it what to do with its blobs.
func (s *site) ask(ctx context.Context, program, command string, request any) (*talk, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return s.talk(ctx, line, program, command, s.blobs())
}

// talk starts a command on the device with one line on its standard input.
func (s *site) talk(ctx context.Context, line []byte, args ...string) (*talk, error) {
	l, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	t := &talk{node: s.name, link: l, stderr: &bounded{limit: maxStderr}, reports: make(chan gift.Report), done: make(chan struct{}), closed: make(chan struct{})}
	var out io.Reader
	var in io.Writer
	t.session, err = l.openSession(ctx, s.o.AnswerTimeout, func(session *ssh.Session) (err error) {
		session.Stderr = t.stderr
		if out, err = session.StdoutPipe(); err == nil {
			in, err = session.StdinPipe() // stays open: the program ends with it
		}
		if err != nil {
			return err
		}
		return session.Start(l.command(args))
	})
	if err != nil {
		return nil, err
	}
	go func() { _, _ = in.Write(append(line, '\n')) }() // a device that does not read holds up nobody
	go t.read(out)
	return t, nil
}

// read hands out reports until they end or make no sense.
func (t *talk) read(out io.Reader) {
	defer close(t.done)
	defer close(t.reports)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxReport)
	for lines.Scan() {
		var r gift.Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.err = fmt.Errorf("%s: its program said %q, which makes no sense", t.node, shortened(lines.Text()))
			return
		}
		select {
		case t.reports <- r:
		case <-t.closed: // until the program has ended
		}
	}
	t.err = t.reason(lines.Err())
}

const maxReport = 4 << 10 // bytes of a line

// reason is why the program ended, as far as it or the connection tells.
func (t *talk) reason(err error) error {
	if err == nil {
		err = t.session.Wait() // standard error is complete then
	}
	switch text := strings.TrimSpace(t.stderr.String()); {
	case err == nil:
		return nil
	case t.link.lost() != nil:
		return fmt.Errorf("%s: %w", t.node, t.link.lost())
	case text != "":
		return fmt.Errorf("%s: %s", t.node, oneLine(strings.TrimPrefix(text, "edgeplan-worker: ")))
	}
	return fmt.Errorf("%s: its program ended: %w", t.node, err)
}

// next waits for a report.
func (t *talk) next(ctx context.Context, limit time.Duration) (gift.Report, error) {
	select {
	case r, ok := <-t.reports:
		if ok {
			return r, nil
		}
		<-t.done
		if t.err == nil {
			return r, errors.New(t.node + ": its program ended without a word")
		}
		return r, t.err
	case <-time.After(limit):
		return gift.Report{}, fmt.Errorf("%s: its program did not answer within %s", t.node, limit)
	case <-ctx.Done():
		return gift.Report{}, context.Cause(ctx)
	}
}

// why waits until the program has ended, or ctx has, and tells why; nil is well, or not known.
func (t *talk) why(ctx context.Context) error {
	select {
	case <-t.done:
	case <-ctx.Done():
	}
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// stop is end, and waits a little until the program has ended: what comes next may use its files.
func (t *talk) stop() {
	t.end()
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = t.why(soon)
}

// end ends the program, which may be at work.
func (t *talk) end() {
	t.closing.Do(func() {
		close(t.closed)
		go func() { // a line that is dead holds it up
			_ = t.session.Signal(ssh.SIGTERM)
			t.session.Close()
		}()
	})
}
