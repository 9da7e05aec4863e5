// Package porttest gives tests ports to listen on later, or again: those that the system gives
// out by itself may be somebody else's by then.
package porttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports given are below those that Linux gives out by itself (ip(7), ip_local_port_range).
const first, count = 20000, 12000

// given are the ports of tests that still run, on which nobody may listen yet.
var given sync.Map

// Free is a TCP port that nobody listens on at a host, and that no other test of this process
// gets until this one has ended.
func Free(t testing.TB, host string) int {
	t.Helper()
	var err error
	for range 100 {
		port := first + rand.IntN(count)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		t.Cleanup(func() { given.Delete(port) })
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatalf("no port of %s is free: %v", host, err)
	return 0
}

// Address is a loopback address with a free port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Free(t, "127.0.0.1")))
}
