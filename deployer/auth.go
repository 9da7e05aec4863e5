package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

// credentials are the keys to offer to one server, in order. All go into one
// method: the client tries every method once only.
type credentials struct {
	hop     hop
	agent   *agentClient
	unlock  func(identity) (ssh.Signer, error)
	signers []ssh.Signer
	tried   []string // what each is, and what could not be used and why

	clock   *clock // of the handshake; nil before it
	failure error  // a key that the server wants could not be unlocked
}

// credentialsOf gives the keys in the order of ssh: named keys that the agent
// holds, the agent's others, and named keys that it does not hold. A server stops
// listening after a few, so those that are likeliest come first.
func credentialsOf(ctx context.Context, h hop, o Options) (*credentials, error) {
	c := &credentials{hop: h, agent: newAgentClient(ctx, h.agent, min(o.DialTimeout, agentTimeout))}
	c.unlock = func(id identity) (ssh.Signer, error) {
		if c.clock != nil {
			c.clock.pause()
			defer c.clock.resume()
		}
		signer, err := o.Connections.keys.unlock(ctx, id, o.Passphrase)
		if err != nil {
			c.failure = err
		}
		return signer, err
	}
	if err := c.addAll(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *credentials) close() { c.agent.close() }

func (c *credentials) methods() []ssh.AuthMethod {
	if len(c.signers) == 0 {
		return nil
	}
	return []ssh.AuthMethod{ssh.PublicKeys(c.signers...)}
}

func (c *credentials) addAll() error {
	named, err := c.identities()
	if err != nil {
		return err
	}
	var held []ssh.Signer
	if !c.hop.only || needsAgent(named) {
		if held, err = c.agent.keys(); err != nil {
			c.tried = append(c.tried, fmt.Sprintf("the agent at %s (%v)", c.hop.agent, err))
		}
	}
	var rest []identity
	for _, id := range named {
		if !c.addHeld(id, held) {
			rest = append(rest, id)
		}
	}
	if !c.hop.only {
		for _, signer := range held {
			c.addCertified(signer, "the agent's "+describeKey(signer.PublicKey()))
		}
	}
	return c.addFiles(rest)
}

func needsAgent(named []identity) bool {
	for _, id := range named {
		if id.signer == nil {
			return true
		}
	}
	return len(named) == 0
}

// identities are the key files to use. One that the configuration names must be there.
func (c *credentials) identities() ([]identity, error) {
	files := c.hop.identities
	if len(files) == 0 {
		files = usualIdentities()
	}
	var named []identity
	for _, file := range files {
		id, err := readIdentity(file)
		switch {
		case err == nil:
			named = append(named, id)
		case c.hop.given:
			return nil, fmt.Errorf("identity_file: %w", err)
		case len(c.hop.identities) > 0 || !errors.Is(err, fs.ErrNotExist):
			c.tried = append(c.tried, fmt.Sprintf("%s (not usable: %v)", file, err))
		}
	}
	return named, nil
}

// usualIdentities is where ssh-keygen puts keys.
func usualIdentities() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	var files []string
	for _, name := range []string{"id_ed25519", "id_rsa", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk"} {
		files = append(files, filepath.Join(home, ".ssh", name))
	}
	return files
}

// addHeld offers a named key by the agent, if the agent has it.
func (c *credentials) addHeld(id identity, held []ssh.Signer) bool {
	found := false
	for _, signer := range held {
		if sameKey(plainKey(signer.PublicKey()), plainKeyOf(id)) {
			c.addCertified(signer, id.file+" by the agent", id.file+"-cert.pub")
			found = true
		}
	}
	return found
}

func plainKeyOf(id identity) ssh.PublicKey {
	if id.public == nil {
		return nil
	}
	return plainKey(id.public)
}

// addFiles offers keys by their files; those that need a passphrase last.
func (c *credentials) addFiles(named []identity) error {
	var locked []identity
	for _, id := range named {
		switch {
		case id.signer != nil:
			c.addCertified(id.signer, id.file, id.file+"-cert.pub")
		case id.locked:
			locked = append(locked, id)
		case c.hop.given:
			return fmt.Errorf("identity_file %s holds no private key that can be used here, and %s: run `ssh-add` with the private key first", id.file, c.withoutAgent())
		default:
			c.tried = append(c.tried, fmt.Sprintf("%s (not usable: %s)", id.file, c.withoutAgent()))
		}
	}
	for _, id := range locked {
		if err := c.addLocked(id); err != nil {
			return err
		}
	}
	return nil
}

// withoutAgent is why the agent is no help.
func (c *credentials) withoutAgent() string {
	if c.agent.problem != nil {
		return fmt.Sprintf("its key cannot be had from the agent at %s (%v)", c.hop.agent, c.agent.problem)
	}
	return "the agent does not hold it"
}

func (c *credentials) addLocked(id identity) error {
	if id.public != nil {
		key := &lockedKey{id.public, func() (ssh.Signer, error) { return c.unlock(id) }}
		c.addCertified(key, id.file+" (locked by a passphrase)", id.file+"-cert.pub")
		return nil
	}
	signer, err := c.unlock(id)
	c.failure = nil
	switch {
	case err == nil:
		c.addCertified(signer, id.file, id.file+"-cert.pub")
	case c.hop.given:
		return err
	default:
		c.tried = append(c.tried, fmt.Sprintf("%s (not usable: %v)", id.file, err))
	}
	return nil
}

// addCertified offers a key with the certificates there are for it, and as it is.
func (c *credentials) addCertified(signer ssh.Signer, what string, files ...string) {
	for _, cert := range certificatesOf(signer.PublicKey(), append(files, c.hop.certificates...)...) {
		if certified, err := ssh.NewCertSigner(cert.Certificate, signer); err == nil {
			c.add(certified, cert.String())
		}
	}
	c.add(signer, what)
}

func (c *credentials) add(signer ssh.Signer, what string) {
	for _, known := range c.signers {
		if sameKey(known.PublicKey(), signer.PublicKey()) {
			return
		}
	}
	c.signers = append(c.signers, signer)
	c.tried = append(c.tried, what)
}

// agentTimeout is how long an agent may take to tell which keys it has.
const agentTimeout = 5 * time.Second
