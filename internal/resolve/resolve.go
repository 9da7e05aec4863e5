// Package resolve dials by host name where Go's own resolver knows no answer:
// without cgo it asks DNS only, and names of mDNS ("pi.local") need the system's.
package resolve

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Dial connects to host:port over TCP within a time. A name that Go cannot
// resolve is left to the C library's resolver, through getent.
func Dial(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	var unresolved *net.DNSError
	if err == nil || !errors.As(err, &unresolved) {
		return conn, err
	}
	host, port, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, err
	}
	for _, ip := range lookup(ctx, host, timeout) {
		if conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip, port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// Lookup gives the addresses of a host in the order to try them, of one that is an address that;
// none where nobody knows any within a time.
func Lookup(ctx context.Context, host string, timeout time.Duration) []string {
	soon, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if addresses, err := net.DefaultResolver.LookupHost(soon, host); err == nil {
		return addresses
	}
	return lookup(ctx, host, timeout)
}

// lookup gives the addresses of a host in the order to try them; none where the
// system knows no better than Go.
func lookup(ctx context.Context, host string, timeout time.Duration) []string {
	if strings.HasPrefix(host, "-") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "ahosts", host).Output()
	if err != nil {
		return nil
	}
	var addresses []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && !slices.Contains(addresses, fields[0]) {
			addresses = append(addresses, fields[0])
		}
	}
	return addresses
}
