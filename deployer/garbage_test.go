package deployer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/statefile"
)

// answering is a server that says what it will, whatever it hears.
func answering(t *testing.T, c *cluster, answer func(net.Conn)) statefile.SSH {
	s := listen(t, func(conn net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		answer(conn)
	})
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	return s
}

// endless writes for as long as somebody reads.
func endless(conn net.Conn, text string) {
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// Whatever answers at the port of a device, the attempt ends soon and says what it was.
func TestNoSSHServer(t *testing.T) {
	noise := make([]byte, 4096)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		answer func(net.Conn)
		want   string
	}{
		"web server":        {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n") }, `no SSH server that can be understood: it said "HTTP/1.1 400 Bad Request"`},
		"garbage":           {func(c net.Conn) { endless(c, string(noise)) }, "is no SSH server that can be understood"},
		"endless lines":     {func(c net.Conn) { endless(c, "welcome\r\n") }, `it said "welcome"`},
		"one endless line":  {func(c net.Conn) { endless(c, "a") }, "is no SSH server"},
		"garbage after SSH": {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n"); endless(c, string(noise)) }, "cannot be reached"},
		"closes at once":    {func(net.Conn) {}, "closed the connection before it said anything"},
		"SSH 1":             {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-1.5-old\r\n") }, "cannot be reached"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := emptyCluster(t)
			c.options.HandshakeTimeout = time.Minute
			start := time.Now()
			_, err := connect(context.Background(), answering(t, c, test.answer), c.options.withDefaults())
			mentions(t, err, test.want)
			if strings.ContainsAny(err.Error(), "\x00\x1b\a") {
				t.Errorf("control characters in %q", err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A server that closes before it has read everything resets the connection.
func TestConnectionResetBeforeTheGreeting(t *testing.T) {
	c := emptyCluster(t)
	s := listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	_, err := connect(context.Background(), s, c.options.withDefaults())
	mentions(t, err, "closed the connection before it said anything", "reset")
}

// server is an SSH server for one connection, whose login does as it likes.
func server(t *testing.T, login func(ssh.ConnMetadata) error) (statefile.SSH, ssh.PublicKey) {
	t.Helper()
	key := newSigner(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(conn ssh.ConnMetadata, _ ssh.PublicKey) (*ssh.Permissions, error) { return nil, login(conn) },
	}
	config.AddHostKey(key)
	return listen(t, func(conn net.Conn) {
		if _, _, _, err := ssh.NewServerConn(conn, config); err == nil {
			<-t.Context().Done()
		}
	}), key.PublicKey()
}

// A server that greets for ever is not listened to for ever.
func TestEndlessBanner(t *testing.T) {
	c := emptyCluster(t)
	s, key := server(t, func(conn ssh.ConnMetadata) error {
		for {
			if err := conn.(ssh.ServerPreAuthConn).SendAuthBanner(strings.Repeat("Welcome! ", 1000)); err != nil {
				return err
			}
		}
	})
	s.IdentityFile, s.HostKey = c.identity, publicLine(key)
	_, err := connect(context.Background(), s, c.options.withDefaults())
	mentions(t, err, "it sent more than 1 MiB and did not finish the SSH handshake")
}

// A login that takes for ever ends with its time, and is not tried again.
func TestLoginThatHangs(t *testing.T) {
	c := emptyCluster(t)
	tries := make(chan struct{}, 10)
	s, key := server(t, func(ssh.ConnMetadata) error {
		tries <- struct{}{}
		<-t.Context().Done()
		return errors.New("no")
	})
	s.IdentityFile, s.HostKey = c.identity, publicLine(key)
	c.options.HandshakeTimeout, c.options.Attempts = 300*time.Millisecond, 3
	var late *HandshakeTimeoutError
	if _, err := connect(context.Background(), s, c.options.withDefaults()); !errors.As(err, &late) {
		t.Errorf("error %v", err)
	}
	if len(tries) != 1 {
		t.Errorf("%d tries", len(tries))
	}
}

// A server that knows nothing current is told from one that is away.
func TestNoCommonAlgorithm(t *testing.T) {
	c := emptyCluster(t)
	config := &ssh.ServerConfig{NoClientAuth: true, Config: ssh.Config{KeyExchanges: []string{ssh.InsecureKeyExchangeDH1SHA1}}}
	config.AddHostKey(newSigner(t))
	s := listen(t, func(conn net.Conn) { _, _, _, _ = ssh.NewServerConn(conn, config) })
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	_, err := connect(context.Background(), s, c.options.withDefaults())
	var narrow *NegotiationError
	if !errors.As(err, &narrow) {
		t.Errorf("error %v", err)
	}
}

// A login script that prints is told from a missing SFTP server.
func TestTalkativeLogin(t *testing.T) {
	c := newCluster(t, "a")
	script := c.t.TempDir() + "/sftp-server"
	c.write(script, "#!/bin/sh\necho Welcome to this device, have a nice day\nsleep 0.2\n")
	shell(t, "chmod +x "+script)
	c.addDevice("b", embeddedWith(script))
	d := newDevice("b", c.nodes["b"], c.options.withDefaults())
	defer d.close()
	_, err := siteOf(context.Background(), d, ".edgeplan", testLineage)
	mentions(t, err, "SFTP cannot be used", "does a login script of user pi print something")
}
