package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/resolve"
	"github.com/edgeplan/edgeplan/statefile"
)

// connect gives the connection to a device.
func connect(ctx context.Context, s statefile.SSH, o Options) (*link, error) {
	hops, err := hopsOf(s)
	if err != nil {
		return nil, err
	}
	return o.Connections.acquire(ctx, hops, o)
}

// dial makes an authenticated connection to the last hop. It tries again when
// that does not answer or breaks off, since Wi-Fi comes and goes; never after a
// wrong host key or a refused user, where trying again would only lock somebody out.
func (c *Connections) dial(ctx context.Context, hops []hop, o Options) (*link, error) {
	last := hops[len(hops)-1]
	keys, err := hostKeysOf(last, o)
	if err != nil {
		return nil, err
	}
	if last.timeout > 0 {
		o.DialTimeout = last.timeout
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = min(500*time.Millisecond, o.DialTimeout)
	return backoff.Retry(ctx, func() (*link, error) {
		l, err := c.dialOnce(ctx, hops, keys, o)
		if err != nil && !worthAnotherTry(err) {
			return nil, backoff.Permanent(err)
		}
		return l, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(o.Attempts), backoff.WithMaxElapsedTime(lastAttempt))
}

// lastAttempt is after how long no other attempt to connect begins. By default a device that
// is not there costs 20 s, and one whose first attempt breaks off late, and that then says
// nothing, 40 s. The whole has no limit of its own: a person may have to type a passphrase.
const lastAttempt = 15 * time.Second

func worthAnotherTry(err error) bool {
	var jump *JumpError
	var unreachable *UnreachableError
	return errors.As(err, &unreachable) && !errors.As(err, &jump) // the jump host was tried enough
}

func (c *Connections) dialOnce(ctx context.Context, hops []hop, keys hostKeys, o Options) (*link, error) {
	last := hops[len(hops)-1]
	credentials, err := credentialsOf(ctx, last, o)
	if err != nil {
		return nil, err
	}
	defer credentials.close()
	conn, via, err := c.reach(ctx, hops, o)
	if err != nil {
		return nil, err
	}
	watched := &watchedConn{Conn: conn}
	client, err := handshake(ctx, watched, keys, credentials, o)
	if err != nil {
		conn.Close()
		if via != nil {
			if lost := via.lost(); lost != nil && ctx.Err() == nil {
				err = &JumpError{Jump: via.hop.address(), Err: lost}
			}
			c.release(hops[:len(hops)-1])
		}
		return nil, err
	}
	l := newLink(client, watched, last, via, o)
	if via != nil {
		go func() {
			<-l.done
			c.release(hops[:len(hops)-1])
		}()
	}
	return l, nil
}

// reach opens a way for bytes to the last hop: directly, or through the one before.
func (c *Connections) reach(ctx context.Context, hops []hop, o Options) (net.Conn, *link, error) {
	last := hops[len(hops)-1]
	if len(hops) == 1 {
		conn, err := resolve.Dial(ctx, last.address(), o.DialTimeout)
		if err != nil {
			return nil, nil, &UnreachableError{last.address(), err}
		}
		return conn, nil, nil
	}
	via, err := c.acquireJump(ctx, hops[:len(hops)-1], o)
	if err != nil {
		return nil, nil, err
	}
	conn, err := via.forward(ctx, last.address(), o.DialTimeout)
	if err != nil {
		c.release(hops[:len(hops)-1])
		return nil, nil, err
	}
	return conn, via, nil
}

// forward lets the server at the other end connect to an address.
func (l *link) forward(ctx context.Context, address string, limit time.Duration) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := l.client.DialContext(within, "tcp", address)
	if err == nil {
		return conn, nil
	}
	var refused *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case within.Err() != nil:
		return nil, &UnreachableError{address, fmt.Errorf("the jump host %s got no connection to it within %s", l.hop.address(), limit)}
	case errors.As(err, &refused) && refused.Reason != ssh.ConnectionFailed:
		return nil, &ForwardingError{Jump: l.hop.address(), Host: address, Err: err}
	case errors.As(err, &refused):
		return nil, &UnreachableError{address, fmt.Errorf("the jump host %s cannot connect to it: %s", l.hop.address(), refused.Message)}
	}
	return nil, &JumpError{Jump: l.hop.address(), Err: l.why(err)}
}

// handshake authenticates both sides, within a time and a number of bytes: what
// answers may be anything.
func handshake(ctx context.Context, conn *watchedConn, keys hostKeys, c *credentials, o Options) (*ssh.Client, error) {
	c.clock = startClock(conn, o.HandshakeTimeout)
	defer c.clock.stop()
	c.agent.signWithin(o.HandshakeTimeout)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.most.Store(maxHandshake)
	var refused error // by the host key check; the handshake may hide its type
	config := &ssh.ClientConfig{
		User:              c.hop.user,
		Auth:              c.methods(),
		HostKeyAlgorithms: keys.algorithms,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			refused = keys.check(host, remote, key)
			return refused
		},
	}
	client, channels, requests, err := ssh.NewClientConn(conn, c.hop.knownAs(), config)
	switch {
	case err == nil:
		conn.most.Store(0)
		return ssh.NewClient(client, channels, requests), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case refused != nil:
		return nil, refused
	case c.failure != nil:
		return nil, c.failure
	}
	return nil, explainHandshake(err, conn, c, o)
}

func explainHandshake(err error, conn *watchedConn, c *credentials, o Options) error {
	text, host := err.Error(), c.hop.address()
	var mismatch *ssh.AlgorithmNegotiationError
	switch {
	case c.clock.expired():
		return &HandshakeTimeoutError{host, o.HandshakeTimeout.Seconds()}
	case errors.Is(err, errTooMuch):
		return &NotSSHError{Host: host, Said: conn.greeting(), Err: err}
	case conn.greeting() != "" && !strings.Contains(conn.greeting(), "SSH-"):
		return &NotSSHError{Host: host, Said: conn.greeting(), Err: err}
	case errors.As(err, &mismatch):
		return &NegotiationError{Host: host, Err: mismatch}
	case strings.Contains(text, "agent: "):
		return &AgentError{Host: host, Err: err}
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "Too many authentication failures"):
		return &AuthError{Host: host, User: c.hop.user, Tried: c.tried, Err: err}
	case conn.greeting() == "" && closedByPeer(err):
		err = fmt.Errorf("it closed the connection before it said anything (too many connections at once, a ban such as fail2ban's, or a forwarded port with nothing behind): %w", err)
	}
	return &UnreachableError{host, err}
}

// closedByPeer says whether the other end closed the connection. What was on its way there
// then comes back as a reset.
func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
