package deployer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
)

// hello connects to a node and runs a command.
func (c *cluster) hello(node string) error {
	d := newDevice(node, c.nodes[node], c.options.withDefaults())
	defer d.close()
	out, err := d.run(context.Background(), "echo", "hello")
	if err == nil && out != "hello\n" {
		return errors.New("the device said " + out)
	}
	return err
}

// with changes how a node is reached.
func (c *cluster) with(node string, change func(*statefile.SSH)) {
	n := c.nodes[node]
	change(&n.SSH)
	c.nodes[node] = n
}

// accept hands every connection to handle, each in a goroutine of its own, until the test ends.
func accept(t *testing.T, network, address string, handle func(net.Conn)) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return listener
}

// listen accepts connections and lets handle deal with them.
func listen(t *testing.T, handle func(net.Conn)) statefile.SSH {
	t.Helper()
	listener := accept(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { defer conn.Close(); handle(conn) })
	addr := listener.Addr().(*net.TCPAddr)
	return statefile.SSH{Host: addr.IP.String(), Port: addr.Port, User: "pi"}
}

// passOn connects to a target and lets both sides talk.
func passOn(conn net.Conn, target string) {
	behind, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer behind.Close()
	go func() { _, _ = io.Copy(behind, conn) }()
	_, _ = io.Copy(conn, behind)
}

func TestHandshakeThatHangs(t *testing.T) {
	c := emptyCluster(t)
	s := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	c.options.HandshakeTimeout = 200 * time.Millisecond
	start := time.Now()
	_, err := connect(context.Background(), s, c.options.withDefaults())
	var late *HandshakeTimeoutError
	if !errors.As(err, &late) {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > 30*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

// A device that breaks off is tried again; the answer of the last try counts.
func TestConnectTriesAgain(t *testing.T) {
	c := newCluster(t, "a")
	tries := make(chan struct{}, 10)
	target := c.devices["a"].Addr()
	s := listen(t, func(conn net.Conn) {
		tries <- struct{}{}
		if len(tries) < 3 {
			return // break off
		}
		passOn(conn, target)
	})
	s.IdentityFile, s.HostKey = c.identity, c.nodes["a"].SSH.HostKey
	o := c.options
	o.Attempts, o.DialTimeout = 2, 500*time.Millisecond // short pauses
	var unreachable *UnreachableError
	if _, err := connect(context.Background(), s, o.withDefaults()); !errors.As(err, &unreachable) {
		t.Errorf("two tries: error %v", err)
	}
	l, err := connect(context.Background(), s, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	l.close()
}

func TestConnectEndsWithItsContext(t *testing.T) {
	c := emptyCluster(t)
	s := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := connect(ctx, s, c.options.withDefaults()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	c := newCluster(t, "a")
	c.devices["a"].Close()
	var unreachable *UnreachableError
	if err := c.hello("a"); !errors.As(err, &unreachable) {
		t.Errorf("error %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.Host = "no-such-host.invalid" })
	if err := c.hello("a"); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Errorf("error %v", err)
	}
}

// Names that only the system's resolver knows are found by it.
func TestSystemResolver(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\n[ \"$2\" = hall.invalid ] && echo '127.0.0.1 hall.invalid'\n"
	if err := os.WriteFile(filepath.Join(bin, "getent"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	c := newCluster(t, "a")
	c.with("a", func(s *statefile.SSH) { s.Host = "hall.invalid" })
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
}
