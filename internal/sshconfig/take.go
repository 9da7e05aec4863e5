package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// take keeps a line's value, if it is the first of its keyword. Keywords that
// edgeplan has no use for are passed over.
func (l *lookup) take(line line) error {
	value, s := line.args[0], &l.found
	slot := line.keyword
	if slot == "proxycommand" {
		slot = "proxyjump" // whichever comes first
	}
	switch slot {
	case "identityfile":
		s.IdentityFiles = add(s.IdentityFiles, value)
		return nil
	case "certificatefile":
		s.CertificateFiles = add(s.CertificateFiles, value)
		return nil
	}
	if l.set[slot] {
		return nil
	}
	l.set[slot] = true
	var err error
	switch line.keyword {
	case "hostname":
		s.HostName = value
	case "user":
		s.User = value
	case "port":
		s.Port, err = port(value)
	case "identitiesonly":
		s.IdentitiesOnly, err = yes(value)
	case "identityagent":
		s.IdentityAgent = value
	case "userknownhostsfile":
		s.UserKnownHosts = line.args
	case "globalknownhostsfile":
		s.GlobalKnownHosts = line.args
	case "hostkeyalias":
		s.HostKeyAlias = value
	case "hashknownhosts":
		s.HashKnownHosts, err = yes(value)
	case "stricthostkeychecking":
		s.AcceptNew = strings.EqualFold(value, "accept-new")
	case "connecttimeout":
		s.ConnectTimeout, err = seconds(value)
	case "serveraliveinterval":
		if value != "0" {
			s.ServerAliveInterval, err = seconds(value)
		}
	case "proxyjump":
		s.ProxyJump = value
	case "proxycommand":
		if !strings.EqualFold(value, "none") {
			s.ProxyCommand = line.at
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", line.at, line.keyword, err)
	}
	return nil
}

func port(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("%q is no port (1 to 65535)", text)
	}
	return n, nil
}

func yes(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true":
		return true, nil
	case "no", "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", text)
}

// seconds reads a time as sshd_config(5) writes them: 30, 90s, 1m30s; "none" is 0.
func seconds(text string) (time.Duration, error) {
	if strings.EqualFold(text, "none") {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(strings.ToLower(text))
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time: write a number of seconds", text)
	}
	return d, nil
}
