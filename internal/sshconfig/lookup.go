package sshconfig

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
)

// Settings are what the files say of one host; zero values where they say nothing.
type Settings struct {
	HostName         string // the host itself where none is given
	User             string
	Port             int
	IdentityFiles    []string
	CertificateFiles []string
	IdentitiesOnly   bool
	IdentityAgent    string   // socket; "" is SSH_AUTH_SOCK, "none" no agent
	UserKnownHosts   []string // nil: the usual file
	GlobalKnownHosts []string // nil: the usual file
	HostKeyAlias     string
	HashKnownHosts   bool
	AcceptNew        bool // StrictHostKeyChecking accept-new
	ConnectTimeout   time.Duration
	// ServerAliveInterval is how often a silent connection is tried; 0 where that is not said.
	ServerAliveInterval time.Duration
	ProxyJump           string // hosts in order, apart by commas; "" or "none" is no jump
	// ProxyCommand is given as file:line, since it is not run; "" where there is none.
	ProxyCommand string
}

// lookup is one host's way through the lines.
type lookup struct {
	host      string
	user      string // given by the caller, else as found so far
	localUser string
	final     bool // the second pass, for Match final
	again     bool // a second pass is asked for
	set       map[string]bool
	found     Settings
}

// Lookup finds what holds for a host as it is named, where the caller already
// knows the user ("": it does not). Of each keyword the first value counts, as in ssh.
func (c *Config) Lookup(host, as string) (Settings, error) {
	l := &lookup{host: host, user: as, localUser: Operator(), set: map[string]bool{}}
	if err := l.apply(c.lines, true); err != nil {
		return Settings{}, err
	}
	if err := l.resolveHost(); err != nil {
		return Settings{}, err
	}
	if l.again {
		l.final, l.host = true, strings.ToLower(host)
		if err := l.apply(c.lines, true); err != nil {
			return Settings{}, err
		}
	}
	return l.finish()
}

// Operator is the name of the user who runs this; "" when it is not known.
func Operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

func (l *lookup) apply(lines []line, within bool) error {
	active := within
	for _, line := range lines {
		var err error
		switch line.keyword {
		case "host":
			active = within && matchesAny(l.host, line.args)
		case "match":
			if active = within; active {
				active, err = l.match(line)
			}
		case "include":
			for _, file := range line.included {
				if err = l.apply(file, active); err != nil {
					break
				}
			}
		default:
			if active {
				err = l.take(line)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// match evaluates the conditions of a Match line, of which all must hold.
func (l *lookup) match(line line) (bool, error) {
	args := line.args
	for len(args) > 0 {
		name, negated := strings.CutPrefix(strings.ToLower(args[0]), "!")
		name, value, joined := strings.Cut(name, "=")
		args = args[1:]
		holds := false
		switch name {
		case "all":
			holds = true
		case "canonical": // nothing is canonicalised here
		case "final":
			l.again, holds = true, l.final
		default:
			if !joined {
				if len(args) == 0 {
					return false, fmt.Errorf("%s: Match %s has no value", line.at, name)
				}
				value, args = args[0], args[1:]
			}
			subject, ok := l.subject(name)
			if !ok {
				return false, fmt.Errorf(`%s: "Match %s" is not evaluated by edgeplan: put the lines under a Host, or write ssh_config = "none" in the ssh block and give there what the device needs`, line.at, name)
			}
			if strings.HasSuffix(name, "host") {
				value = strings.ToLower(value)
			}
			holds = matchesAny(subject, strings.Split(value, ","))
		}
		if holds == negated {
			return false, nil
		}
	}
	return true, nil
}

// subject is what a condition compares.
func (l *lookup) subject(condition string) (string, bool) {
	switch condition {
	case "host":
		if l.found.HostName != "" {
			return strings.ReplaceAll(l.found.HostName, "%h", l.host), true
		}
		return l.host, true
	case "originalhost":
		return l.host, true
	case "user":
		if l.user == "" && l.found.User == "" {
			return l.localUser, true
		}
		return firstOf(l.user, l.found.User), true
	case "localuser":
		return l.localUser, true
	}
	return "", false
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// matchesAny says whether a pattern matches and none with ! before it does.
func matchesAny(text string, patterns []string) bool {
	matched := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matches(text, pattern) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// matches knows * for any text and ? for one character.
func matches(text, pattern string) bool {
	star, resume := -1, 0
	i, j := 0, 0
	for i < len(text) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, resume = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == text[i]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = resume, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

// add puts a value in a list that keeps every one once.
func add(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}
