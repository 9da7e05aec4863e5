package deployer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// linkWithoutSessions is a connection to a server that answers keepalives, and no channel
// or, with accept, no request in one.
func linkWithoutSessions(t *testing.T, accept bool) *link {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	at := listen(t, func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for channel := range channels {
			if accept {
				_, _, _ = channel.Accept() // whose requests nobody reads
			}
		}
	})
	conn, err := net.Dial("tcp", net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
	if err != nil {
		t.Fatal(err)
	}
	watched := &watchedConn{Conn: conn}
	made, channels, requests, err := ssh.NewClientConn(watched, "device", &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(signer.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{KeepaliveInterval: 20 * time.Millisecond, KeepaliveGrace: time.Minute}.withDefaults()
	l := newLink(ssh.NewClient(made, channels, requests), watched, hop{}, nil, o)
	t.Cleanup(l.close)
	return l
}

// Keepalives alone do not make a device that opens sessions: it is given up, and who
// waits for it can be interrupted.
func TestDeviceThatOpensNoSession(t *testing.T) {
	start := func(s *ssh.Session) error { return s.Start("true") }
	for _, accept := range []bool{false, true} {
		l := linkWithoutSessions(t, accept)
		begun := time.Now()
		_, err := l.openSession(context.Background(), 600*time.Millisecond, start)
		mentions(t, err, "the device opened no session within 600ms")
		if l.lost() == nil || time.Since(begun) > 30*time.Second {
			t.Errorf("accept %v: lost %v after %s", accept, l.lost(), time.Since(begun))
		}

		l = linkWithoutSessions(t, accept)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := l.openSession(ctx, time.Minute, start); !errors.Is(err, context.DeadlineExceeded) || l.lost() != nil {
			t.Errorf("accept %v: error %v, lost %v", accept, err, l.lost())
		}
	}
}
