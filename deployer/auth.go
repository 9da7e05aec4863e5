package deployer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/edgeplan/edgeplan/statefile"
)

// credentials are the keys to offer to one device, in order. All go into one
// method: the client tries every method once only.
type credentials struct {
	signers []ssh.Signer
	tried   []string // what each is, and what could not be used and why
	agent   net.Conn // nil without an agent
}

// credentialsOf gives the key of identity_file alone; without one, the agent's
// keys and then the default files.
func credentialsOf(s statefile.SSH) (*credentials, error) {
	c := &credentials{}
	held := c.agentKeys()
	var err error
	if s.IdentityFile != "" {
		err = c.addIdentity(s.IdentityFile, held)
	} else {
		err = c.addDefaults(held)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *credentials) close() {
	if c.agent != nil {
		c.agent.Close()
	}
}

func (c *credentials) methods() []ssh.AuthMethod {
	if len(c.signers) == 0 {
		return nil
	}
	return []ssh.AuthMethod{ssh.PublicKeys(c.signers...)}
}

// agentKeys are the keys of the agent at SSH_AUTH_SOCK; none when there is no agent.
func (c *credentials) agentKeys() []ssh.Signer {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		c.tried = append(c.tried, fmt.Sprintf("the agent at %s (%v)", socket, err))
		return nil
	}
	c.agent = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		c.tried = append(c.tried, fmt.Sprintf("the agent at %s (%v)", socket, err))
	}
	return signers
}

// addIdentity takes the key of a file. The agent helps where the file is
// encrypted, or holds the public part only.
func (c *credentials) addIdentity(file string, held []ssh.Signer) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("identity_file: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err == nil {
		c.add(signer, file)
		return nil
	}
	public := publicOf(file, content, err)
	if public == nil {
		return fmt.Errorf("identity_file %s cannot be read as a private key: %w", file, err)
	}
	for _, signer := range held {
		if bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
			c.add(signer, file+" by the agent")
			return nil
		}
	}
	return fmt.Errorf("identity_file %s is protected by a passphrase and the agent does not hold it: run `ssh-add %s` first", file, file)
}

// publicOf is the public part of a key that cannot be used by itself; nil when
// it is not known.
func publicOf(file string, content []byte, problem error) ssh.PublicKey {
	if public, _, _, _, err := ssh.ParseAuthorizedKey(content); err == nil {
		return public
	}
	var locked *ssh.PassphraseMissingError
	if !errors.As(problem, &locked) {
		return nil
	}
	if locked.PublicKey != nil {
		return locked.PublicKey
	}
	beside, err := os.ReadFile(file + ".pub") // old formats encrypt the public part as well
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(beside)
	if err != nil {
		return nil
	}
	return public
}

// addDefaults takes the agent's keys, then the files where ssh-keygen puts them.
func (c *credentials) addDefaults(held []ssh.Signer) error {
	for _, signer := range held {
		c.add(signer, "the agent's "+describeKey(signer.PublicKey()))
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	for _, name := range []string{"id_ed25519", "id_rsa", "id_ecdsa"} {
		file := filepath.Join(home, ".ssh", name)
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = c.addDefault(file, content)
		}
		if err != nil {
			c.tried = append(c.tried, fmt.Sprintf("%s (not usable: %v)", file, err))
		}
	}
	return nil
}

func (c *credentials) addDefault(file string, content []byte) error {
	signer, err := ssh.ParsePrivateKey(content)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if locked.PublicKey != nil && c.has(locked.PublicKey) {
			return nil
		}
		return fmt.Errorf("protected by a passphrase: run `ssh-add %s`", file)
	}
	if err == nil && !c.has(signer.PublicKey()) {
		c.add(signer, file)
	}
	return err
}

func (c *credentials) add(signer ssh.Signer, what string) {
	c.signers = append(c.signers, signer)
	c.tried = append(c.tried, what)
}

func (c *credentials) has(key ssh.PublicKey) bool {
	for _, signer := range c.signers {
		if bytes.Equal(signer.PublicKey().Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

func describeKey(key ssh.PublicKey) string {
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}
