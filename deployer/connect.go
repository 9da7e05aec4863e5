package deployer

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/resolve"
	"github.com/edgeplan/edgeplan/statefile"
)

// address is where a device's SSH server listens.
func address(s statefile.SSH) string {
	port := s.Port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(port))
}

// connect makes an authenticated connection. It tries again when the device
// does not answer or breaks off, since Wi-Fi comes and goes; never after a wrong
// host key or a refused user, where trying again would only lock somebody out.
func connect(ctx context.Context, s statefile.SSH, o Options) (*link, error) {
	keys, err := hostKeysOf(s)
	if err != nil {
		return nil, err
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = min(500*time.Millisecond, o.DialTimeout)
	return backoff.Retry(ctx, func() (*link, error) {
		l, err := connectOnce(ctx, s, keys, o)
		var unreachable *UnreachableError
		if err != nil && !errors.As(err, &unreachable) {
			return nil, backoff.Permanent(err)
		}
		return l, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(o.Attempts))
}

func connectOnce(ctx context.Context, s statefile.SSH, keys hostKeys, o Options) (*link, error) {
	credentials, err := credentialsOf(ctx, s, o)
	if err != nil {
		return nil, err
	}
	defer credentials.close()
	conn, err := resolve.Dial(ctx, address(s), o.DialTimeout)
	if err != nil {
		return nil, &UnreachableError{address(s), err}
	}
	watched := &watchedConn{Conn: conn}
	client, err := handshake(ctx, watched, s, keys, credentials, o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return newLink(client, watched, o), nil
}

// handshake authenticates both sides. ClientConfig.Timeout would cover the TCP
// connection only, so the deadline is set on the connection.
func handshake(ctx context.Context, conn net.Conn, s statefile.SSH, keys hostKeys, c *credentials, o Options) (*ssh.Client, error) {
	_ = conn.SetDeadline(time.Now().Add(o.HandshakeTimeout))
	c.signWithin(o.HandshakeTimeout)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var refused error // by the host key check; the handshake may hide its type
	config := &ssh.ClientConfig{
		User:              s.User,
		Auth:              c.methods(),
		HostKeyAlgorithms: keys.algorithms,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			refused = keys.check(host, remote, key)
			return refused
		},
	}
	client, channels, requests, err := ssh.NewClientConn(conn, address(s), config)
	switch {
	case err == nil:
		_ = conn.SetDeadline(time.Time{})
		return ssh.NewClient(client, channels, requests), nil
	case refused != nil:
		return nil, refused
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, explainHandshake(err, s, c, o)
}

func explainHandshake(err error, s statefile.SSH, c *credentials, o Options) error {
	text := err.Error()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &HandshakeTimeoutError{address(s), o.HandshakeTimeout.Seconds()}
	case strings.Contains(text, "agent: "):
		return &AgentError{Host: address(s), Err: err}
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "Too many authentication failures"):
		return &AuthError{Host: address(s), User: s.User, Tried: c.tried, Err: err}
	}
	return &UnreachableError{address(s), err}
}
