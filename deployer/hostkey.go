package deployer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// systemKnownHosts is read beside the user's own file, as ssh does.
const systemKnownHosts = "/etc/ssh/ssh_known_hosts"

// hostKeys is how one server's host key is checked. A key is never accepted
// without something that vouches for it, or the choice to trust it the first time.
type hostKeys struct {
	// algorithms to negotiate, the known ones first: a server with several keys
	// then shows one that is known.
	algorithms []string
	check      ssh.HostKeyCallback
}

func hostKeysOf(h hop, o Options) (hostKeys, error) {
	if h.hostKey != "" {
		return pinnedKey(h)
	}
	return knownKeys(h, o)
}

// pinnedKey accepts the key of the configuration alone.
func pinnedKey(h hop) (hostKeys, error) {
	pinned := publicKey([]byte(h.hostKey))
	if pinned == nil {
		return hostKeys{}, fmt.Errorf(`host_key of %s cannot be read; it looks like "ssh-ed25519 AAAA…"`, h.name)
	}
	check := func(_ string, _ net.Addr, key ssh.PublicKey) error {
		if sameKey(key, pinned) {
			return nil
		}
		return &ChangedHostKeyError{Host: h.address(), Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
			Expected: []ExpectedKey{{Type: pinned.Type(), Fingerprint: ssh.FingerprintSHA256(pinned), Where: "host_key in the configuration",
				Remedy: fmt.Sprintf("write host_key = %q", authorizedLine(key))}}}
	}
	return hostKeys{algorithms: preferring(algorithmsOf(pinned.Type())), check: check}, nil
}

func authorizedLine(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// algorithmsOf are the signature algorithms of a key type (RFC 8332 section 2).
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// preferring puts some algorithms before all others. Those stay, so that a
// server without a known key shows one that can be told of; but certificates are
// of use only where their authority is known.
func preferring(known []string) []string {
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(known, algorithm) && !strings.Contains(algorithm, "-cert-") {
			known = append(known, algorithm)
		}
	}
	return known
}

// knownKeys accepts what the known_hosts files list.
func knownKeys(h hop, o Options) (hostKeys, error) {
	db, err := knownhosts.NewDB(existing(slices.Concat(h.knownHosts, h.systemHosts)...)...)
	if err != nil {
		return hostKeys{}, fmt.Errorf("known hosts cannot be read: %w; correct or remove that line", err)
	}
	check := func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := explainHostKey(db, db.HostKeyCallback()(host, remote, key), h, key)
		var unknown *UnknownHostKeyError
		if h.acceptNew && errors.As(err, &unknown) {
			return trust(unknown, h, o)
		}
		return err
	}
	known := slices.DeleteFunc(db.HostKeyAlgorithms(h.knownAs()), func(a string) bool {
		return a == ssh.KeyAlgoRSA || a == ssh.CertAlgoRSAv01 // signed with SHA-1
	})
	return hostKeys{algorithms: preferring(known), check: check}, nil
}

// existing leaves out files that are not there. Others that cannot be read stay,
// for their error to be seen.
func existing(files ...string) []string {
	return slices.DeleteFunc(files, func(file string) bool {
		_, err := os.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// explainHostKey turns a refusal into what a person needs to act on it.
func explainHostKey(db *knownhosts.HostKeyDB, err error, h hop, key ssh.PublicKey) error {
	var wrong *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	cert, certified := key.(*ssh.Certificate)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return &RevokedHostKeyError{Host: h.address(), Fingerprint: ssh.FingerprintSHA256(key),
			Where: fmt.Sprintf("%s:%d", revoked.Revoked.Filename, revoked.Revoked.Line)}
	case certified:
		return &HostCertificateError{Host: h.address(), Name: h.knownAs(), Certificate: cert, Err: err}
	case !errors.As(err, &wrong):
		return err
	case len(wrong.Want) == 0:
		return unknownKey(h, key)
	}
	changed := &ChangedHostKeyError{Host: h.address(), Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
	for _, want := range wrong.Want {
		changed.Expected = append(changed.Expected, expected(db, h, want))
	}
	return changed
}

func unknownKey(h hop, key ssh.PublicKey) *UnknownHostKeyError {
	return &UnknownHostKeyError{Host: h.address(), Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
		KnownHosts: h.knownHosts[0], Key: authorizedLine(key), Line: knownhosts.Line([]string{h.knownAs()}, key)}
}

// expected is a key that would do, with how to forget it.
func expected(db *knownhosts.HostKeyDB, h hop, want xknownhosts.KnownKey) ExpectedKey {
	e := ExpectedKey{Type: want.Key.Type(), Fingerprint: ssh.FingerprintSHA256(want.Key), Where: fmt.Sprintf("%s:%d", want.Filename, want.Line)}
	for _, known := range db.HostKeys(h.knownAs()) {
		if known.Cert && sameKey(known.PublicKey, want.Key) {
			e.Where += ", an authority whose certificate the device does not show"
			return e
		}
	}
	e.Remedy = fmt.Sprintf("ssh-keygen -R %s -f %s", shellWord(knownhosts.Normalize(h.knownAs())), shellWord(want.Filename))
	return e
}

// shellWord quotes where it is needed, for a person to copy.
func shellWord(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@%+,") == "" {
		return text
	}
	return quote(text)
}
