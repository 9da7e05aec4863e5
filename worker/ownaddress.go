package worker

import (
	"errors"
	"net"
	"syscall"
)

// lostAddress is the address of a release that its device had at some start and has no more; "" is
// none. One that it never had may be a router's.
func lostAddress(dir string, m Manifest) string {
	if !readMark(dir).HadAddress || isOwn(m.Listen) {
		return ""
	}
	host, _, _ := net.SplitHostPort(m.Listen)
	return host
}

// isOwn says whether host:port has an address of this device. A name is none.
func isOwn(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) == nil {
		return false
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err == nil {
		listener.Close()
	}
	return !errors.Is(err, syscall.EADDRNOTAVAIL)
}
