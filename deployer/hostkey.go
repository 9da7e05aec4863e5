package deployer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/edgeplan/edgeplan/statefile"
)

// systemKnownHosts is read beside the user's own file, as ssh does.
const systemKnownHosts = "/etc/ssh/ssh_known_hosts"

// hostKeys is how one device's host key is checked. A key is never accepted
// without something that vouches for it.
type hostKeys struct {
	// algorithms to negotiate, the known ones first: a server with several keys
	// then shows one that is known.
	algorithms []string
	check      ssh.HostKeyCallback
}

func hostKeysOf(s statefile.SSH) (hostKeys, error) {
	if s.HostKey != "" {
		return pinnedKey(s)
	}
	return knownKeys(s)
}

// pinnedKey accepts the key of the configuration alone.
func pinnedKey(s statefile.SSH) (hostKeys, error) {
	pinned, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey))
	if err != nil {
		return hostKeys{}, fmt.Errorf(`host_key of %s cannot be read: %w; it looks like "ssh-ed25519 AAAA…"`, s.Host, err)
	}
	check := func(host string, _ net.Addr, key ssh.PublicKey) error {
		if bytes.Equal(key.Marshal(), pinned.Marshal()) {
			return nil
		}
		return &ChangedHostKeyError{Host: host, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
			Expected: []ExpectedKey{{pinned.Type(), ssh.FingerprintSHA256(pinned), "host_key in the configuration"}}}
	}
	return hostKeys{algorithms: preferring(algorithmsOf(pinned.Type())), check: check}, nil
}

// algorithmsOf are the signature algorithms of a key type (RFC 8332 section 2).
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// preferring puts some algorithms before all others. Those stay, so that a
// server without a known key shows one that can be told of.
func preferring(known []string) []string {
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(known, algorithm) {
			known = append(known, algorithm)
		}
	}
	return known
}

// knownKeys accepts what the known_hosts files list.
func knownKeys(s statefile.SSH) (hostKeys, error) {
	file, err := knownHostsFile(s)
	if err != nil {
		return hostKeys{}, err
	}
	db, err := knownhosts.NewDB(existing(file, systemKnownHosts)...)
	if err != nil {
		return hostKeys{}, fmt.Errorf("known hosts cannot be read: %w", err)
	}
	check := func(host string, remote net.Addr, key ssh.PublicKey) error {
		return explainHostKey(db.HostKeyCallback()(host, remote, key), host, key, file)
	}
	known := slices.DeleteFunc(db.HostKeyAlgorithms(address(s)), func(a string) bool { return a == ssh.KeyAlgoRSA })
	return hostKeys{algorithms: preferring(known), check: check}, nil
}

func knownHostsFile(s statefile.SSH) (string, error) {
	if s.KnownHosts != "" {
		return s.KnownHosts, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home folder to look for .ssh/known_hosts in: %w; name a file with known_hosts", err)
	}
	return filepath.Join(home, ".ssh", "known_hosts"), nil
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
func explainHostKey(err error, host string, key ssh.PublicKey, file string) error {
	var wrong *xknownhosts.KeyError
	if !errors.As(err, &wrong) {
		return err
	}
	if len(wrong.Want) == 0 {
		return &UnknownHostKeyError{
			Host: host, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), KnownHosts: file,
			Key:  strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
			Line: knownhosts.Line([]string{host}, key),
		}
	}
	changed := &ChangedHostKeyError{Host: host, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
	for _, want := range wrong.Want {
		changed.Expected = append(changed.Expected, ExpectedKey{
			want.Key.Type(), ssh.FingerprintSHA256(want.Key), fmt.Sprintf("%s:%d", want.Filename, want.Line)})
	}
	return changed
}
