package deployer

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// JumpError says that a host on the way to a device is the problem.
type JumpError struct {
	Jump string // host:port
	Err  error
}

func (e *JumpError) Error() string { return fmt.Sprintf("the jump host %s: %v", e.Jump, e.Err) }

// Unwrap gives the cause.
func (e *JumpError) Unwrap() error { return e.Err }

// ForwardingError says that a jump host does not connect on for others.
type ForwardingError struct {
	Jump, Host string // host:port
	Err        error
}

func (e *ForwardingError) Error() string {
	return fmt.Sprintf("the jump host %s does not forward to %s: %v; its sshd_config needs AllowTcpForwarding yes (and PermitOpen, if it is set, to allow that address), and the key no `restrict` or `no-port-forwarding`",
		e.Jump, e.Host, e.Err)
}

// Unwrap gives what the jump host said.
func (e *ForwardingError) Unwrap() error { return e.Err }

// NotSSHError says that something else than an SSH server answers.
type NotSSHError struct {
	Host string
	Said string // its first bytes
	Err  error
}

func (e *NotSSHError) Error() string {
	said := e.Said
	if line, _, more := strings.Cut(said, "\n"); more && strings.TrimSpace(line) != "" {
		said = strings.TrimSpace(line)
	}
	const shown = 60
	if len(said) > shown {
		said = said[:shown] + "…"
	}
	return fmt.Sprintf("what answers at %s is no SSH server that can be understood: it said %q (%v); check address and port", e.Host, said, e.Err)
}

// Unwrap gives the cause.
func (e *NotSSHError) Unwrap() error { return e.Err }

// NegotiationError says that both sides know no common algorithm.
type NegotiationError struct {
	Host string
	Err  *ssh.AlgorithmNegotiationError
}

func (e *NegotiationError) Error() string {
	return fmt.Sprintf("%s and edgeplan have no way to speak SSH in common: %v; the device's SSH server is too old, or set up too narrowly: update it, or allow current algorithms in its sshd_config", e.Host, e.Err)
}

// Unwrap gives what was offered on both sides.
func (e *NegotiationError) Unwrap() error { return e.Err }

// PassphraseError says that a key file could not be unlocked.
type PassphraseError struct {
	File   string
	Reason string
}

func (e *PassphraseError) Error() string {
	return fmt.Sprintf("%s is protected by a passphrase, and %s: run `ssh-add %s` so that the agent holds the key, or set %s", e.File, e.Reason, shellWord(e.File), PassphraseVariable)
}

// RevokedHostKeyError says that a device showed a key that known_hosts revokes.
type RevokedHostKeyError struct {
	Host, Fingerprint string
	Where             string // file:line
}

func (e *RevokedHostKeyError) Error() string {
	return fmt.Sprintf("the host key of %s (%s) is revoked (%s): somebody may have it who should not; make the device a new one there, with `ssh-keygen -A` after removing the old, and do not connect before",
		e.Host, e.Fingerprint, e.Where)
}

// HostCertificateError says that a device's certificate does not prove who it is.
type HostCertificateError struct {
	Host        string // host:port
	Name        string // host:port by which it is known
	Certificate *ssh.Certificate
	Err         error
}

func (e *HostCertificateError) Error() string {
	until := "without end"
	if e.Certificate.ValidBefore != ssh.CertTimeInfinity {
		until = "until " + certTime(e.Certificate.ValidBefore)
	}
	return fmt.Sprintf("the host certificate of %s does not prove that it is %s: %v; it is certificate %q of authority %s for %s, valid from %s %s; sign a new one (ssh-keygen -s CA -h -n NAME …), or correct the @cert-authority line in known_hosts, and check the clocks",
		e.Host, e.Name, e.Err, e.Certificate.KeyId, ssh.FingerprintSHA256(e.Certificate.SignatureKey),
		strings.Join(e.Certificate.ValidPrincipals, ", "), certTime(e.Certificate.ValidAfter), until)
}

// Unwrap gives the cause.
func (e *HostCertificateError) Unwrap() error { return e.Err }

// BecomeError says that a user may not do as root what become asks for.
type BecomeError struct {
	User string
	Err  error
}

func (e *BecomeError) Error() string {
	return fmt.Sprintf("become = \"sudo\" does not work for user %s: %v; edgeplan gives no password to sudo: "+
		"allow the user to do without, on the device, by `visudo -f /etc/sudoers.d/edgeplan` and the line\n  %s ALL=(root) NOPASSWD: ALL\n"+
		"or give the user a path of its own and leave become out", e.User, e.Err, e.User)
}

// Unwrap gives the cause.
func (e *BecomeError) Unwrap() error { return e.Err }
