package deployer

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// link is one SSH connection to a device, with one SFTP session on it.
type link struct {
	client *ssh.Client
	conn   *watchedConn
	hop    hop           // the server at the other end
	via    *link         // to the jump host that it goes through; nil for none
	done   chan struct{} // closed when the connection has ended
	// answered is when SFTP last answered, as Unix time in nanoseconds.
	answered atomic.Int64

	opening sync.Mutex
	files   *sftp.Client // under opening; nil until it is needed

	mu    sync.Mutex // never held while the device is waited for
	cause error      // why the connection was cut from this side
}

// newLink watches over a connection until it ends.
func newLink(client *ssh.Client, conn *watchedConn, h hop, via *link, o Options) *link {
	l := &link{client: client, conn: conn, hop: h, via: via, done: make(chan struct{})}
	go func() {
		_ = client.Wait()
		close(l.done)
	}()
	if h.alive > 0 && h.alive < o.KeepaliveInterval { // never later than by default
		o.KeepaliveInterval, o.KeepaliveGrace = h.alive, min(o.KeepaliveGrace, 3*h.alive)
	}
	go l.keepAlive(o.KeepaliveInterval, o.KeepaliveGrace)
	return l
}

// keepAlive cuts a connection that gives no sign of life for the grace time after it
// was asked to answer. On a slow line the answer itself may stand behind seconds of data,
// and the question, where many devices are behind one router, behind more than the grace time.
func (l *link) keepAlive(interval, grace time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
		}
		if !l.answers(grace) {
			l.cut(fmt.Errorf("the connection was lost: nothing was received for %s", grace))
			return
		}
	}
}

func (l *link) answers(grace time.Duration) bool {
	answered := make(chan struct{})
	go func() {
		if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
			close(answered)
		}
	}()
	look := time.NewTicker(max(grace/lifeLooks, time.Millisecond))
	defer look.Stop()
	for asked := time.Now(); ; {
		select {
		case <-l.done:
			return true
		case <-answered:
			return true
		case now := <-look.C:
			if now.Sub(l.conn.life(asked)) > grace {
				return false
			}
		}
	}
}

// lifeLooks is how often a sign of life is looked for within the grace time.
const lifeLooks = 15

// cut ends the connection and keeps the reason for what fails by it. What runs
// over it ends on its own time.
func (l *link) cut(cause error) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = cause
	}
	l.mu.Unlock()
	l.conn.Close()
}

// lost gives the reason when the connection has ended, or is being cut.
func (l *link) lost() error {
	l.mu.Lock()
	cause := l.cause
	l.mu.Unlock()
	if cause != nil {
		return cause
	}
	select {
	case <-l.done:
		if l.via != nil && l.via.endsSoon() {
			return &JumpError{Jump: l.via.hop.address(), Err: l.via.lost()}
		}
		return errors.New("the connection was lost: the device closed it")
	default:
		return nil
	}
}

// endsSoon waits a moment for a connection to end: what runs over it ends first.
func (l *link) endsSoon() bool {
	select {
	case <-l.done:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// noChannel is what x/crypto/ssh says when the connection ends while a channel is
// being opened.
const noChannel = "ssh: unexpected packet in response to channel open: <nil>"

// why is err, or the loss of the connection that caused it.
func (l *link) why(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, io.EOF) || err.Error() == noChannel {
		l.endsSoon()
	}
	if lost := l.lost(); lost != nil {
		return lost
	}
	return err
}

// close ends the connection and waits until nothing runs over it. Like cut it
// only closes the socket: a farewell would wait for ever on a line that is dead.
func (l *link) close() {
	l.client.Close()
	<-l.done
}
