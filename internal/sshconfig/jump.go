package sshconfig

import (
	"fmt"
	"net"
	"strings"
)

// Jump is one host to pass through. Zero values are for the files to fill in.
type Jump struct {
	User string
	Host string
	Port int
}

// ParseJumps reads hosts apart by commas, each as [user@]host[:port] or
// ssh://[user@]host[:port]; IPv6 addresses with a port stand in brackets. "" and
// "none" are no hosts.
func ParseJumps(text string) ([]Jump, error) {
	if text == "" || strings.EqualFold(text, "none") {
		return nil, nil
	}
	var jumps []Jump
	for _, one := range strings.Split(text, ",") {
		jump, err := parseJump(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("jump host %q: %w", one, err)
		}
		jumps = append(jumps, jump)
	}
	return jumps, nil
}

func parseJump(text string) (Jump, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	var j Jump
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		j.User, text = text[:at], text[at+1:]
		if j.User == "" || strings.ContainsAny(j.User, " \t\r\n\x00:/") {
			return Jump{}, fmt.Errorf("%q is no user", j.User)
		}
	}
	j.Host = text
	if host, number, err := net.SplitHostPort(text); err == nil && net.ParseIP(text) == nil {
		if j.Port, err = port(number); err != nil {
			return Jump{}, err
		}
		j.Host = host
	}
	j.Host = strings.TrimSuffix(strings.TrimPrefix(j.Host, "["), "]")
	if j.Host == "" || strings.HasPrefix(j.Host, "-") || strings.ContainsAny(j.Host, " \t\r\n/\\\"'\x00@[]") {
		return Jump{}, fmt.Errorf("write it as user@host:port, and an IPv6 address with a port as [fd00::1]:22")
	}
	return j, nil
}
