package deployer

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// opened is a session in which something was started, or why there is none.
type opened struct {
	session *ssh.Session
	err     error
}

// openSession opens a session and starts in it what start does. A device that does not
// answer to that within the limit is cut off: it may go on answering keepalives. When ctx
// ends, what comes of it is not waited for and ends when it comes.
func (l *link) openSession(ctx context.Context, limit time.Duration, start func(*ssh.Session) error) (*ssh.Session, error) {
	result := make(chan opened, 1)
	go func() {
		timer := time.AfterFunc(limit, func() { l.cut(fmt.Errorf("the device opened no session within %s", limit)) })
		defer timer.Stop()
		session, err := l.startedSession(start)
		result <- opened{session, err}
	}()
	select {
	case r := <-result:
		return r.session, r.err
	case <-ctx.Done():
	}
	go func() {
		if r := <-result; r.session != nil {
			r.session.Close()
		}
	}()
	return nil, context.Cause(ctx)
}

func (l *link) startedSession(start func(*ssh.Session) error) (*ssh.Session, error) {
	session, err := l.client.NewSession()
	if err != nil {
		return nil, l.why(err)
	}
	if err := start(session); err != nil {
		session.Close()
		return nil, l.why(err)
	}
	return session, nil
}
