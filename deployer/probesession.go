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

	"github.com/edgeplan/edgeplan/internal/probe"
)

// probeSession is the probe of a device, which runs as a command of an SSH session.
type probeSession struct {
	session *ssh.Session
	in      io.Writer
	stderr  *bounded
	link    *link

	writing sync.Mutex // held while a request is written
	closing sync.Once

	mu      sync.Mutex
	next    int
	waiting map[int]chan probe.Response
	ended   error // why no more answers come
}

// ErrProbe is wrapped by what the probe of a device itself says went wrong, while the
// device goes on answering.
var ErrProbe = errors.New("the device's probe")

// ask sends one request and waits for its answer. A session that was lost is begun
// again.
func (d *probed) ask(ctx context.Context, limit time.Duration, request probe.Request) (probe.Response, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the device's probe did not answer within %s", limit))
	defer cancel()
	defer context.AfterFunc(d.held, cancel)()
	s, err := d.openSession(ctx)
	if err != nil {
		return probe.Response{}, d.failed(err)
	}
	answer, err := s.ask(ctx, request)
	if held := context.Cause(d.held); held != nil && !errors.Is(held, context.Canceled) {
		err = held
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		d.endSession() // it may hang, or still be at work
	}
	return answer, d.failed(err)
}

// openSession gives the session, begun when there is none.
func (d *probed) openSession(ctx context.Context) (*probeSession, error) {
	d.sessions.Lock()
	defer d.sessions.Unlock()
	if d.session != nil && d.session.alive() {
		return d.session, nil
	}
	l, err := d.connected(ctx)
	if err != nil {
		return nil, err
	}
	d.session, err = startProbe(ctx, l, d.o.AnswerTimeout, d.blob(d.program.Digest), d.root)
	return d.session, err
}

// endSession ends the probe: its standard input ends, and it ends with that.
func (d *probed) endSession() {
	d.sessions.Lock()
	defer d.sessions.Unlock()
	if d.session != nil {
		d.session.end(errors.New("the probe was ended"))
		d.session = nil
	}
}

func startProbe(ctx context.Context, l *link, limit time.Duration, program, root string) (*probeSession, error) {
	s := &probeSession{link: l, stderr: &bounded{limit: maxStderr}, waiting: map[int]chan probe.Response{}}
	var out io.Reader
	session, err := l.openSession(ctx, limit, func(session *ssh.Session) (err error) {
		session.Stderr = s.stderr
		if out, err = session.StdoutPipe(); err == nil {
			s.in, err = session.StdinPipe()
		}
		if err != nil {
			return err
		}
		return session.Start(l.command([]string{program, "probe", root}))
	})
	if err != nil {
		return nil, err
	}
	s.session = session
	go s.read(out)
	return s, nil
}

func (s *probeSession) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == nil && s.link.lost() == nil
}

// read hands out answers. A device that says what nobody asked for, or lines without
// end, is not listened to.
func (s *probeSession) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 64<<10), probe.MaxLine)
	for lines.Scan() {
		var answer probe.Response
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			s.end(fmt.Errorf("the device's probe answered %q, which makes no sense: %w", shortened(lines.Text()), err))
			return
		}
		if !s.deliver(answer) {
			s.end(fmt.Errorf("the device's probe answered what it was not asked: %q", shortened(lines.Text())))
			return
		}
	}
	s.end(s.reason(lines.Err()))
}

func shortened(text string) string { return text[:min(len(text), 100)] }

func (s *probeSession) deliver(answer probe.Response) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, ok := s.waiting[answer.ID]
	if ok {
		delete(s.waiting, answer.ID)
		waiting <- answer
	}
	return ok
}

// reason is why the probe ended, as far as it or the connection tells.
func (s *probeSession) reason(err error) error {
	if err != nil {
		return s.link.why(fmt.Errorf("the device's probe: %w", err))
	}
	if lost := s.link.why(io.EOF); !errors.Is(lost, io.EOF) {
		return lost
	}
	exit := s.session.Wait() // standard error is complete then
	if text := strings.TrimSpace(s.stderr.String()); text != "" {
		return fmt.Errorf("the device's probe ended: %s", oneLine(text))
	}
	return fmt.Errorf("the device's probe ended (%v)", exit)
}

// end fails what still waits.
func (s *probeSession) end(cause error) {
	s.mu.Lock()
	if s.ended == nil {
		s.ended = cause
	}
	for id, waiting := range s.waiting {
		delete(s.waiting, id)
		close(waiting)
	}
	s.mu.Unlock()
	s.closing.Do(func() { s.session.Close() }) // which ends the probe's standard input too
}

func (s *probeSession) ask(ctx context.Context, request probe.Request) (probe.Response, error) {
	answers, err := s.begin(request)
	if err != nil {
		return probe.Response{}, err
	}
	select {
	case answer, ok := <-answers:
		if !ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			return probe.Response{}, s.ended
		}
		if answer.Error != "" {
			return answer, fmt.Errorf("%w: %s", ErrProbe, oneLine(answer.Error))
		}
		return answer, nil
	case <-ctx.Done():
		return probe.Response{}, context.Cause(ctx)
	}
}

// begin sends a request in the background: a device that does not read it holds up
// nobody, and is ended when its time is over.
func (s *probeSession) begin(request probe.Request) (<-chan probe.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return nil, s.ended
	}
	s.next++
	request.ID = s.next
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if len(text) >= probe.MaxLine {
		return nil, fmt.Errorf("a question of %d bytes is too long for the device's probe", len(text))
	}
	answers := make(chan probe.Response, 1)
	s.waiting[request.ID] = answers
	go s.send(append(text, '\n'))
	return answers, nil
}

func (s *probeSession) send(text []byte) {
	s.writing.Lock()
	_, err := s.in.Write(text)
	s.writing.Unlock()
	if errors.Is(err, io.EOF) {
		return // it has ended, and read finds out why
	}
	if err != nil {
		s.end(s.link.why(err))
	}
}
