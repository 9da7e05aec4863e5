package sshconfig

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// resolveHost fixes the name to connect to.
func (l *lookup) resolveHost() error {
	name, err := expandTokens(l.found.HostName, map[byte]string{'h': l.host})
	if err != nil {
		return fmt.Errorf("HostName %s of host %s: %w", l.found.HostName, l.host, err)
	}
	l.found.HostName, l.set["hostname"] = strings.ToLower(firstOf(name, l.host)), true
	return nil
}

// finish fills in tokens, variables and home folders.
func (l *lookup) finish() (Settings, error) {
	s := l.found
	var problem error
	expand := func(keyword, text string, tokens map[byte]string) string {
		expanded, err := expandTokens(text, tokens)
		if err != nil && problem == nil {
			problem = fmt.Errorf("%s %s of host %s: %w", keyword, text, l.host, err)
		}
		return expanded
	}
	tokens := l.tokens(s)
	file := func(keyword, text string) string {
		text, err := expandVariables(text)
		if err == nil {
			text, err = expandHome(text)
		}
		if err != nil && problem == nil {
			problem = fmt.Errorf("%s of host %s: %w", keyword, l.host, err)
		}
		return expand(keyword, text, tokens)
	}
	files := func(keyword string, texts []string) (all []string) {
		for _, text := range texts {
			all = append(all, file(keyword, text))
		}
		return all
	}
	s.IdentityFiles = files("IdentityFile", s.IdentityFiles)
	s.CertificateFiles = files("CertificateFile", s.CertificateFiles)
	s.UserKnownHosts = files("UserKnownHostsFile", s.UserKnownHosts)
	s.GlobalKnownHosts = files("GlobalKnownHostsFile", s.GlobalKnownHosts)
	s.HostKeyAlias = strings.ToLower(expand("HostKeyAlias", s.HostKeyAlias, tokens))
	s.ProxyJump = expand("ProxyJump", s.ProxyJump, tokens)
	if s.IdentityAgent == "SSH_AUTH_SOCK" {
		s.IdentityAgent = ""
	} else if name, ok := strings.CutPrefix(s.IdentityAgent, "$"); ok && !strings.HasPrefix(name, "{") {
		s.IdentityAgent = os.Getenv(name)
	} else {
		s.IdentityAgent = file("IdentityAgent", s.IdentityAgent)
	}
	return s, problem
}

// tokens are those of ssh_config(5), TOKENS, that name files and hosts.
func (l *lookup) tokens(s Settings) map[byte]string {
	home, _ := os.UserHomeDir()
	name, _ := os.Hostname()
	short, _, _ := strings.Cut(name, ".")
	port := s.Port
	if port == 0 {
		port = 22
	}
	return map[byte]string{
		'h': s.HostName, 'n': l.host, 'p': strconv.Itoa(port), 'r': firstOf(l.user, s.User, l.localUser),
		'u': l.localUser, 'd': home, 'l': name, 'L': short, 'i': strconv.Itoa(os.Getuid()), 'k': firstOf(s.HostKeyAlias, l.host),
	}
}

func expandTokens(text string, tokens map[byte]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("it ends in %%; write %%%% for a percent sign")
		}
		value, known := tokens[text[i]]
		switch {
		case text[i] == '%':
			value = "%"
		case !known:
			return "", fmt.Errorf("%%%c is not known here", text[i])
		}
		out.WriteString(value)
	}
	return out.String(), nil
}

// expandVariables replaces ${NAME}. A variable that is not set is a fault, as in ssh.
func expandVariables(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, set := os.LookupEnv(name)
		if !closed || !set {
			return "", fmt.Errorf("the environment variable %q is not set", name)
		}
		out.WriteString(value)
		text = after
	}
}
