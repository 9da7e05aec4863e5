package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// identity is a key named by file. What of it can be used depends on the file: it
// may be locked by a passphrase, or hold the public part only.
type identity struct {
	file    string
	content []byte
	public  ssh.PublicKey // nil when it is not known before the file is unlocked
	signer  ssh.Signer    // nil when the file alone cannot sign
	locked  bool          // by a passphrase
}

// readIdentity reads a key file.
func readIdentity(file string) (identity, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return identity{}, err
	}
	id := identity{file: file, content: content}
	id.signer, err = ssh.ParsePrivateKey(content)
	if err == nil {
		id.public = id.signer.PublicKey()
		return id, nil
	}
	id.signer = nil
	var missing *ssh.PassphraseMissingError
	if id.locked = errors.As(err, &missing); id.locked {
		id.public = missing.PublicKey
	} else if id.public = publicKey(content); id.public != nil {
		return id, nil
	}
	if id.public == nil { // old formats lock the public part up as well
		if beside, readErr := os.ReadFile(file + ".pub"); readErr == nil {
			id.public = publicKey(beside)
		}
	}
	if !id.locked && id.public == nil {
		return identity{}, fmt.Errorf("%s cannot be read as a private key: %w", file, err)
	}
	return id, nil
}

// publicKey reads an authorized_keys line; nil when it is none.
func publicKey(content []byte) ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil
	}
	return key
}

// certificate is a key that an authority has signed.
type certificate struct {
	*ssh.Certificate
	file string
}

// certificatesOf are those of the files that are there, for the key they belong to.
func certificatesOf(public ssh.PublicKey, files ...string) []certificate {
	var found []certificate
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if cert, ok := publicKey(content).(*ssh.Certificate); ok && sameKey(cert.Key, public) {
			found = append(found, certificate{cert, file})
		}
	}
	return found
}

// String is the certificate as an error shows it.
func (c certificate) String() string {
	now, text := uint64(time.Now().Unix()), "certificate "+c.file
	if c.ValidBefore != ssh.CertTimeInfinity && now >= c.ValidBefore {
		text += " (expired " + certTime(c.ValidBefore) + ")"
	} else if now < c.ValidAfter {
		text += " (not valid before " + certTime(c.ValidAfter) + ")"
	}
	return text
}

func certTime(seconds uint64) string { return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339) }

// plainKey is the key without its certificate.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

func sameKey(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}

func describeKey(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		return "certificate " + fmt.Sprintf("%q", cert.KeyId) + " for " + describeKey(cert.Key)
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

// lockedKey signs with a key whose passphrase is asked for only once a server
// wants a signature by it.
type lockedKey struct {
	public ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.unlock()
	if err != nil {
		return nil, err
	}
	if able, ok := signer.(ssh.AlgorithmSigner); ok {
		return able.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// PassphraseVariable names the environment variable with the passphrase of key
// files, for where there is no terminal to ask on.
const PassphraseVariable = "EDGEPLAN_SSH_PASSPHRASE"

// passphraseTries is how often a person may mistype, as with ssh.
const passphraseTries = 3

// keyring keeps the keys that were unlocked, so that each passphrase is asked for once.
type keyring struct {
	turn    chan struct{} // held by who asks
	keys    map[string]ssh.Signer
	refused map[string]error
}

func newKeyring() *keyring {
	return &keyring{turn: make(chan struct{}, 1), keys: map[string]ssh.Signer{}, refused: map[string]error{}}
}

// unlock gives the key of a locked file.
func (k *keyring) unlock(ctx context.Context, id identity, ask func(context.Context, string) (string, error)) (ssh.Signer, error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-k.turn }()
	if k.keys[id.file] != nil || k.refused[id.file] != nil {
		return k.keys[id.file], k.refused[id.file]
	}
	signer, err := unlockWith(ctx, id, ask)
	switch {
	case err == nil:
		k.keys[id.file] = signer
	case ctx.Err() == nil:
		k.refused[id.file] = err
	}
	return signer, err
}

func unlockWith(ctx context.Context, id identity, ask func(context.Context, string) (string, error)) (ssh.Signer, error) {
	reason := "there is no terminal to ask for it on"
	if given := os.Getenv(PassphraseVariable); given != "" {
		signer, err := ssh.ParsePrivateKeyWithPassphrase(id.content, []byte(given))
		if err == nil {
			return signer, nil
		}
		reason = "that of " + PassphraseVariable + " does not open it"
	}
	if ask == nil {
		return nil, &PassphraseError{File: id.file, Reason: reason}
	}
	for try := range passphraseTries {
		question := "Passphrase of " + id.file
		if try > 0 {
			question = "That is not it. " + question
		}
		given, err := ask(ctx, question)
		if err != nil {
			return nil, &PassphraseError{File: id.file, Reason: err.Error()}
		}
		if signer, err := ssh.ParsePrivateKeyWithPassphrase(id.content, []byte(strings.TrimRight(given, "\r\n"))); err == nil {
			return signer, nil
		}
	}
	return nil, &PassphraseError{File: id.file, Reason: fmt.Sprintf("none of the %d that were given opens it", passphraseTries)}
}
