package deployer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/worker"
)

// receiver is a worker program on a device that takes files in one SSH session, one after the
// other, and tells the digest of each once it is on the disk (worker.Receive).
type receiver struct {
	link    *link
	session *ssh.Session
	args    []string
	in      *bufio.Writer
	stderr  *bounded
	limit   time.Duration // of silence, beside the time that it needs for what it got
	flushes time.Duration // for which it may only say that it flushes
	silence *time.Timer   // runs while something is under way
	greeted chan struct{} // closed when it is ready
	done    chan struct{} // closed when it has ended

	mu       sync.Mutex
	coming   map[string]*coming // by name
	busy     int                // writes to it that are under way
	owed     int64              // bytes of files that it has to read and flush before it answers
	patience time.Duration      // for which silence was set
	stirred  time.Time          // when something came of it
	ended    error
	blamed   bool // whether somebody was told why it ended
}

// coming is a file that was sent, or is on its way.
type coming struct {
	size   int64
	digest chan string // has room for it
}

const (
	sendBlock  = 256 << 10
	sendPacket = 32 << 10 // what golang.org/x/crypto/ssh sends at once
	maxAnswer  = 512      // bytes of a line
)

// openReceiver starts a worker program that receives files for a folder. It ends when ctx does.
func openReceiver(ctx context.Context, l *link, o Options, program, dir string) (*receiver, error) {
	r := &receiver{link: l, args: []string{program, "receive", dir}, stderr: &bounded{limit: maxStderr}, limit: o.receiveSilence, flushes: o.flushLimit,
		greeted: make(chan struct{}), done: make(chan struct{}), coming: map[string]*coming{}}
	var out io.Reader
	session, err := l.openSession(ctx, o.AnswerTimeout, func(session *ssh.Session) error {
		session.Stderr = r.stderr
		stdout, err := session.StdoutPipe()
		if err != nil {
			return err
		}
		stdin, err := session.StdinPipe()
		if err != nil {
			return err
		}
		out, r.in = stdout, bufio.NewWriterSize(writing{r, stdin}, sendBlock)
		return session.Start(l.command(r.args))
	})
	if err != nil {
		return nil, err
	}
	r.session = session
	r.mu.Lock() // which the timer waits for
	r.patience = o.AnswerTimeout
	r.silence = time.AfterFunc(r.patience, r.isSilent)
	r.mu.Unlock()
	context.AfterFunc(ctx, func() { r.end(context.Cause(ctx)) })
	go r.read(out)
	select {
	case <-r.greeted:
	case <-r.done:
	}
	select {
	case <-r.greeted:
		return r, nil
	default:
		return nil, r.ended
	}
}

// read takes the answers, until they end or make no sense.
func (r *receiver) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxAnswer)
	if lines.Scan() {
		if lines.Text() != worker.ReceiveGreeting {
			r.end(fmt.Errorf("the worker program said %q and should greet", shortened(lines.Text())))
			return
		}
		r.mu.Lock()
		r.stir()
		r.mu.Unlock()
		close(r.greeted)
	}
	for lines.Scan() {
		if lines.Text() == worker.ReceiveFlushing {
			r.isFlushing()
			continue
		}
		if err := r.answered(lines.Text()); err != nil {
			r.end(err)
			return
		}
	}
	r.end(r.reason(lines.Err()))
}

// answered keeps the digest of a file that was sent.
func (r *receiver) answered(line string) error {
	sums := map[string]string{}
	if err := parseSums(line, sums); err != nil {
		return fmt.Errorf("answers of the worker program: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, sum := range sums {
		c := r.coming[name]
		if c == nil {
			return fmt.Errorf("the worker program told of a file that it was not sent: %q", shortened(line))
		}
		delete(r.coming, name)
		r.owed -= c.size
		c.digest <- sum
	}
	r.stir()
	return nil
}

// reason is why there are no more answers.
func (r *receiver) reason(err error) error {
	if err != nil {
		return r.link.why(fmt.Errorf("answers of the worker program: %w", err))
	}
	if err := r.session.Wait(); err != nil { // standard error is complete then
		return without(r.link.explain(err, r.args, r.stderr.String()))
	}
	return &receiverEndedError{cause: errors.New("the worker program on the device ended by itself")}
}

// isFlushing gives the device time again, but not for ever.
func (r *receiver) isFlushing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.stirred) < r.flushes {
		r.renew()
	}
}

// stir gives the device time again, since something happened; mu is held.
func (r *receiver) stir() {
	r.stirred = time.Now()
	r.renew()
}

func (r *receiver) renew() {
	switch {
	case r.ended != nil:
	case len(r.coming) == 0 && r.busy == 0: // it may have answered for what it does not take
		r.silence.Stop()
	default:
		r.patience = r.limit + secondsFor(max(0, r.owed))
		r.silence.Reset(r.patience)
	}
}

func (r *receiver) isSilent() {
	r.mu.Lock()
	patience := r.patience
	r.mu.Unlock()
	r.end(fmt.Errorf("the device takes nothing more and does not answer, for %s", patience.Round(time.Second/10)))
}

// writes says that so many more (or less) writes to the input are under way.
func (r *receiver) writes(more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy += more
	r.stir()
}

// end ends the program, which may be at work. What was not answered for is not there.
func (r *receiver) end(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return
	}
	r.ended = cause
	r.silence.Stop()
	close(r.done)
	go func() { // a line that is dead holds it up
		_ = r.session.Signal(ssh.SIGTERM)
		r.session.Close()
	}()
}

// why tells the first who asks why it ended. The others are to give up because of that, unless
// it can be done without the receiver.
func (r *receiver) why(ctx context.Context) error {
	var ended *receiverEndedError
	if errors.As(r.ended, &ended) {
		return r.ended
	}
	r.mu.Lock()
	blamed := r.blamed
	r.blamed = true
	r.mu.Unlock()
	if !blamed {
		return r.ended
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// writing is the program's standard input.
type writing struct {
	receiver *receiver
	in       io.Writer
}

// Write writes by SSH packets: on a slow line each is a sign of life.
func (w writing) Write(p []byte) (int, error) {
	written := 0
	for piece := range slices.Chunk(p, sendPacket) {
		n, err := w.in.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		w.receiver.mu.Lock()
		w.receiver.stir()
		w.receiver.mu.Unlock()
	}
	return written, nil
}
