// Package peer lets a device wait for a connection of one other that shows who it is.
package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// GreetTimeout is how long the other end of a connection may take to show who it is.
const GreetTimeout = 5 * time.Second

// How long a listener waits for its one peer, and how many others may knock.
const (
	acceptTimeout = 15 * time.Second
	mostStrangers = 16
)

// Ports to try from the first one on: those of the pipeline, which a firewall lets in.
const portsToTry = 16

// ErrStranger is that the other end of a connection is not who it should be.
var ErrStranger = errors.New("it does not know the secret of this connection")

// Listen opens a port of the device's pipeline address, or the next free one. A name, or an
// address that only others see, is listened to on all addresses.
func Listen(host string, first int) (*net.TCPListener, error) {
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
	return nil, fmt.Errorf("no port from %d on is free: %w", first, failed)
}

// Greet makes of a new connection one to the right peer, within GreetTimeout, or fails.
type Greet func(net.Conn) (net.Conn, error)

// Await accepts until a peer is greeted well, closes all other connections and the listener,
// and gives that one. Strangers that say nothing do not keep it waiting; when nobody comes
// it fails after 15 s.
func Await(ctx context.Context, listener *net.TCPListener, greet Greet) (net.Conn, error) {
	waiting, leave := context.WithCancel(ctx)
	defer leave()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	_ = listener.SetDeadline(time.Now().Add(acceptTimeout))
	known := make(chan net.Conn)
	for range mostStrangers {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		go func() {
			if greeted := knows(waiting, conn, greet); greeted != nil {
				listener.Close() // a secret is for one connection
				offer(waiting, greeted, known)
			}
		}()
	}
	select {
	case conn := <-known:
		return conn, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(GreetTimeout): // of the last to come
		return nil, ErrStranger
	}
}

// knows greets; a stranger's connection is closed, and so is any when ctx ends.
func knows(ctx context.Context, conn net.Conn, greet Greet) net.Conn {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	greeted, err := greet(conn)
	if !stop() || err != nil {
		conn.Close()
		return nil
	}
	return greeted
}

// offer hands a connection over, or closes it when nobody waits for one any more.
func offer(ctx context.Context, conn net.Conn, to chan<- net.Conn) {
	select {
	case to <- conn:
	case <-ctx.Done():
		conn.Close()
	}
}
