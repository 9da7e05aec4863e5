package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// How long a listener waits for its one peer, and how many others may knock.
const (
	acceptTimeout = 15 * time.Second
	mostStrangers = 16
)

// Ports to try from the first one on: those of the pipeline, which a firewall lets in.
const portsToTry = 16

// Listen opens a port for one test of one peer that knows the secret, and serves it in
// the background until it ends, ctx ends, it is stopped, or nobody came in time. It
// gives the port.
func Listen(ctx context.Context, host string, first int, secret []byte, l probe.Limits) (port int, stop func(), err error) {
	listener, err := listenNear(host, first)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer listener.Close()
		defer context.AfterFunc(ctx, func() { listener.Close() })()
		defer cancel()
		_ = serveOne(ctx, listener, secret, l)
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() { cancel(); listener.Close() }, nil
}

// listenNear opens a port of the device's pipeline address, or the next free one. A
// name, or an address that only others see, is listened to on all addresses.
func listenNear(host string, first int) (*net.TCPListener, error) {
	if net.ParseIP(host) == nil {
		host = ""
	}
	var failed error
	for port := first; port < first+portsToTry && port <= 65535; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRNOTAVAIL) && host != "" {
			host = ""
			listener, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		}
		if err == nil {
			return listener.(*net.TCPListener), nil
		}
		failed = err
	}
	return nil, fmt.Errorf("no port from %d on is free for the test: %w", first, failed)
}

// serveOne serves the one peer that knows the secret.
func serveOne(ctx context.Context, listener *net.TCPListener, secret []byte, l probe.Limits) error {
	conn, err := awaitPeer(ctx, listener, secret)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	return receive(conn, l)
}

// awaitPeer accepts until a peer knows the secret, and closes all other connections.
// Strangers that say nothing do not keep it waiting.
func awaitPeer(ctx context.Context, listener *net.TCPListener, secret []byte) (net.Conn, error) {
	waiting, leave := context.WithCancel(ctx)
	defer leave()
	_ = listener.SetDeadline(time.Now().Add(acceptTimeout))
	known := make(chan net.Conn)
	for range mostStrangers {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		go func() {
			if knows(waiting, conn, secret) {
				listener.Close() // a secret is for one connection
				offer(waiting, conn, known)
			}
		}()
	}
	select {
	case conn := <-known:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(greetTimeout): // of the last to come
		return nil, errStranger
	}
}

// knows says whether the other end of a connection knows the secret; if not, or when ctx
// ends, the connection is closed.
func knows(ctx context.Context, conn net.Conn, secret []byte) bool {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := greet(conn, secret, true)
	if !stop() || err != nil {
		conn.Close()
		return false
	}
	return true
}

// offer hands a connection over, or closes it when nobody waits for one any more.
func offer(ctx context.Context, conn net.Conn, to chan<- net.Conn) {
	select {
	case to <- conn:
	case <-ctx.Done():
		conn.Close()
	}
}
