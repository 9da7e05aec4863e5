package deployer

import (
	"fmt"
	"slices"
	"strings"
)

// DeviceError is something that went wrong on one device.
type DeviceError struct {
	Node string // its address, as node.pi["hall"]
	Err  error
}

func (e *DeviceError) Error() string { return e.Node + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *DeviceError) Unwrap() error { return e.Err }

// UnknownHostKeyError says that nothing vouches for the key a device showed.
type UnknownHostKeyError struct {
	Host        string // host:port
	Key         string // authorized_keys line
	Type        string
	Fingerprint string // SHA256:…
	KnownHosts  string // the file to add the line to
	Line        string // that line
}

func (e *UnknownHostKeyError) Error() string {
	return fmt.Sprintf("the host key of %s is not known: it shows %s %s; "+
		"compare that with the device (there: ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub), then either add this line to %s:\n  %s\n"+
		"or pin it in the node's ssh settings:\n  host_key = %q\n"+
		"or, where nobody can stand between, trust every device the first time: host_key_checking = \"accept-new\"",
		e.Host, e.Type, e.Fingerprint, shortType(e.Type), e.KnownHosts, e.Line, e.Key)
}

// shortType is how sshd names the file of a key type.
func shortType(keyType string) string {
	switch {
	case strings.Contains(keyType, "ed25519"):
		return "ed25519"
	case strings.Contains(keyType, "ecdsa"):
		return "ecdsa"
	case strings.Contains(keyType, "rsa"):
		return "rsa"
	}
	return "*"
}

// ChangedHostKeyError says that a device showed another key than the known one.
type ChangedHostKeyError struct {
	Host        string
	Type        string
	Fingerprint string
	Expected    []ExpectedKey
}

// ExpectedKey is a key that would have been accepted.
type ExpectedKey struct {
	Type        string
	Fingerprint string
	Where       string // file:line of known_hosts, or where it is pinned
	Remedy      string // what to type when the new key is right; "" where nothing simple helps
}

func (e *ChangedHostKeyError) Error() string {
	var remedies []string
	for _, k := range e.Expected {
		if k.Remedy != "" && !slices.Contains(remedies, k.Remedy) {
			remedies = append(remedies, k.Remedy)
		}
	}
	text := fmt.Sprintf("%s; nothing was sent to it. "+
		"Either the device was set up anew, or another machine answers in its place; look on the device (ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub)",
		e.summary(), shortType(e.Type))
	if len(remedies) > 0 {
		text += ", and if the new key is its own:\n  " + strings.Join(remedies, "\n  ")
	}
	return text
}

// summary names both keys.
func (e *ChangedHostKeyError) summary() string {
	var expected []string
	for _, k := range e.Expected {
		expected = append(expected, fmt.Sprintf("%s %s (%s)", k.Type, k.Fingerprint, k.Where))
	}
	return fmt.Sprintf("the host key of %s changed: it shows %s %s, and known is %s", e.Host, e.Type, e.Fingerprint, strings.Join(expected, ", "))
}

// AuthError says that a device let nobody in.
type AuthError struct {
	Host  string
	User  string
	Tried []string // keys that were offered, and those that could not be
	Err   error
}

func (e *AuthError) Error() string {
	tried := "no key to offer"
	if len(e.Tried) > 0 {
		tried = "tried " + strings.Join(e.Tried, ", ")
	}
	hint := fmt.Sprintf("add the public key to ~/.ssh/authorized_keys of %s on the device (ssh-copy-id), or name another with identity_file", e.User)
	if e.Err != nil && strings.Contains(e.Err.Error(), "Too many authentication failures") {
		hint = "the device stopped listening after too many keys (MaxAuthTries there): name the right one with identity_file, or with IdentityFile and IdentitiesOnly yes in ~/.ssh/config"
	}
	return fmt.Sprintf("%s refused user %q: %s; %s", e.Host, e.User, tried, hint)
}

// Unwrap gives what the server said.
func (e *AuthError) Unwrap() error { return e.Err }

// AgentError says that the SSH agent on this machine did not sign.
type AgentError struct {
	Host string
	Err  error
}

func (e *AgentError) Error() string {
	return fmt.Sprintf("the SSH agent did not sign for %s: %v; does it wait for a confirmation? Name a key with identity_file to do without it", e.Host, e.Err)
}

// Unwrap gives the cause.
func (e *AgentError) Unwrap() error { return e.Err }

// UnreachableError says that no SSH connection could be made.
type UnreachableError struct {
	Host string
	Err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot be reached at %s: %v; check that it is on, that the address is right and that an SSH server runs there", e.Host, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// HandshakeTimeoutError says that something accepted the connection and then
// did not speak SSH in time.
type HandshakeTimeoutError struct {
	Host    string
	Seconds float64
}

func (e *HandshakeTimeoutError) Error() string {
	return fmt.Sprintf("%s accepted the connection and did not finish the SSH handshake within %g s; is the device overloaded, or is that port another service's?", e.Host, e.Seconds)
}
