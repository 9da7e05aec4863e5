// Package peer lets a device wait for a connection of one other that shows who it is.
package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeplan/edgeplan/internal/resolve"
)

// How long a listener waits for its one peer, and how long the other end of a connection may take
// to show who it is. Tests make them shorter, before anything waits.
var (
	AcceptTimeout = 15 * time.Second
	GreetTimeout  = 5 * time.Second
)

// mostStrangers may be silent at once.
const mostStrangers = 16

// Ports to try from the first one on: those of the pipeline, which a firewall lets in.
const portsToTry = 16

// ErrStranger is that the other end of a connection is not who it should be.
var ErrStranger = errors.New("it does not know the secret of this connection")

// ErrNobody is that there was no other end.
var ErrNobody = errors.New("nobody came")

// Listen opens a port of the device's pipeline address, or the next free one. A name is listened
// to at the address that it has; one that only others see, on all addresses.
func Listen(host string, first int) (*net.TCPListener, error) {
	host = local(host)
	var failed error
	for port := first; port < first+portsToTry && port <= 65535; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return listener.(*net.TCPListener), nil
		}
		failed = err
	}
	return nil, fmt.Errorf("no port from %d on is free: %w", first, failed)
}

// local is the first address of a host that is one of this device, or "" for all addresses. A name
// may be that of the device itself, as Debian has it, on the loopback interface: others know it by
// another address.
func local(host string) string {
	for _, address := range resolve.Lookup(context.Background(), host, GreetTimeout) {
		ip := net.ParseIP(address)
		if ip.IsUnspecified() || ip.IsLoopback() && net.ParseIP(host) == nil && host != "localhost" {
			continue
		}
		if listener, err := net.Listen("tcp", net.JoinHostPort(address, "0")); err == nil {
			listener.Close()
			return address
		}
	}
	return ""
}

// Greet makes of a new connection one to the right peer, within GreetTimeout, or fails.
type Greet func(net.Conn) (net.Conn, error)

// Await accepts until a peer is greeted well, closes all other connections and the listener,
// and gives that one. Strangers do not keep it waiting, unless many of them say nothing. When no
// peer comes within AcceptTimeout it fails with ErrStranger if others came, and else with ErrNobody.
func Await(ctx context.Context, listener *net.TCPListener, greet Greet) (net.Conn, error) {
	waiting, leave := context.WithCancel(ctx)
	defer leave()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	_ = listener.SetDeadline(time.Now().Add(AcceptTimeout))
	d := &door{listener: listener, greet: greet, known: make(chan net.Conn), silent: make(chan struct{}, mostStrangers)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.accept(waiting)
	}()
	select {
	case conn := <-d.known:
		return conn, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-ended:
	}
	if d.strangers.Load() > 0 {
		return nil, ErrStranger
	}
	return nil, fmt.Errorf("%w within %s", ErrNobody, AcceptTimeout)
}

// door is a listener that one may pass.
type door struct {
	listener  net.Listener
	greet     Greet
	known     chan net.Conn
	silent    chan struct{} // one for everybody who has not shown who it is
	strangers atomic.Int64
}

// accept lets everybody try, until the listener is closed or too old, and all have been answered.
func (d *door) accept(ctx context.Context) {
	var trying sync.WaitGroup
	defer trying.Wait()
	for {
		select {
		case d.silent <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		trying.Go(func() {
			defer func() { <-d.silent }()
			d.admit(ctx, conn)
		})
	}
}

func (d *door) admit(ctx context.Context, conn net.Conn) {
	greeted := knows(ctx, conn, d.greet)
	if greeted == nil {
		d.strangers.Add(1)
		return
	}
	d.listener.Close() // a secret is for one connection
	offer(ctx, greeted, d.known)
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
