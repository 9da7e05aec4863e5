package agent

import (
	"context"
	"fmt"
	"net"

	"github.com/edgeplan/edgeplan/internal/peer"
	"github.com/edgeplan/edgeplan/internal/probe"
)

// Listen opens a port for one test of one peer that knows the secret, and serves it in
// the background until it ends, ctx ends, it is stopped, or nobody came in time. It
// gives the port.
func Listen(ctx context.Context, host string, first int, secret []byte, l probe.Limits) (port int, stop func(), err error) {
	listener, err := peer.Listen(host, first)
	if err != nil {
		return 0, nil, fmt.Errorf("the test cannot begin: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_ = serveOne(ctx, listener, secret, l)
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() { cancel(); listener.Close() }, nil
}

// serveOne serves the one peer that knows the secret.
func serveOne(ctx context.Context, listener *net.TCPListener, secret []byte, l probe.Limits) error {
	conn, err := peer.Await(ctx, listener, func(conn net.Conn) (net.Conn, error) { return conn, greet(conn, secret, true) })
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	return receive(conn, l)
}
