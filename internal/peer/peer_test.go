package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	AcceptTimeout, GreetTimeout = 2*time.Minute, 2*time.Minute
	os.Exit(m.Run())
}

// word lets in whoever says "x".
func word(conn net.Conn) (net.Conn, error) {
	said := make([]byte, 1)
	if _, err := io.ReadFull(conn, said); err != nil {
		return nil, err
	}
	if said[0] != 'x' {
		return nil, ErrStranger
	}
	return conn, nil
}

// However many are refused, the peer still comes in; then nobody does.
func TestPeerAfterManyStrangers(t *testing.T) {
	listener, err := Listen("127.0.0.1", 23000)
	if err != nil {
		t.Fatal(err)
	}
	say := func(what string) net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Error(err)
			return nil
		}
		_, _ = io.WriteString(conn, what)
		return conn
	}
	peers := make(chan net.Conn, 1)
	go func() {
		for range 3 * mostStrangers {
			if stranger := say("y"); stranger != nil {
				_, _ = stranger.Read(make([]byte, 1)) // until it is refused
				stranger.Close()
			}
		}
		peers <- say("x")
	}()
	conn, err := Await(context.Background(), listener, word)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	(<-peers).Close()
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the port is still open: %v", err)
	}
}

// A name is listened to at its address, and at all where that is not of this device.
func TestListenAt(t *testing.T) {
	for host, all := range map[string]bool{"localhost": false, "127.0.0.2": false, "192.0.2.1": true} {
		listener, err := Listen(host, 23100)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if ip := listener.Addr().(*net.TCPAddr).IP; ip.IsUnspecified() != all {
			t.Errorf("%s: it listens on %s", host, ip)
		}
		listener.Close()
	}
}
