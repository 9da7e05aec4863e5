package deployer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/edgeplan/edgeplan/statefile"
)

// credentials are the keys to offer to one device, in order. All go into one
// method: the client tries every method once only.
type credentials struct {
	signers []ssh.Signer
	tried   []string      // what each is, and what could not be used and why
	limit   time.Duration // for the agent to tell its keys
	stop    func() bool   // watching the context

	mu     sync.Mutex
	agent  net.Conn // nil while no agent is asked
	closed bool
}

// agentTimeout is how long an agent may take to tell which keys it has.
const agentTimeout = 5 * time.Second

// credentialsOf gives the key of identity_file alone; without one, the agent's
// keys and then the default files.
func credentialsOf(ctx context.Context, s statefile.SSH, o Options) (*credentials, error) {
	c := &credentials{limit: min(o.DialTimeout, agentTimeout)}
	c.stop = context.AfterFunc(ctx, c.closeAgent)
	if s.IdentityFile == "" {
		c.addDefaults()
		return c, nil
	}
	if err := c.addIdentity(s.IdentityFile); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close ends the connection to the agent.
func (c *credentials) close() {
	c.stop()
	c.closeAgent()
}

func (c *credentials) closeAgent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.agent != nil {
		c.agent.Close()
	}
}

// signWithin limits how long the agent may take from now on.
func (c *credentials) signWithin(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.agent != nil {
		_ = c.agent.SetDeadline(time.Now().Add(limit))
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
	signers, err := c.askAgent(socket)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", c.limit)
	}
	if err != nil {
		c.tried = append(c.tried, fmt.Sprintf("the agent at %s (%v)", socket, err))
	}
	return signers
}

func (c *credentials) askAgent(socket string) ([]ssh.Signer, error) {
	conn, err := net.DialTimeout("unix", socket, c.limit)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.agent = conn
	if c.closed {
		conn.Close()
	}
	c.mu.Unlock()
	watched := &agentConn{Conn: conn}
	_ = conn.SetDeadline(time.Now().Add(c.limit))
	signers, err := agent.NewClient(watched).Signers()
	if err != nil && watched.err != nil {
		err = watched.err // the client keeps its text only
	}
	return signers, err
}

// agentConn keeps why reading from the agent failed.
type agentConn struct {
	net.Conn
	err error
}

func (c *agentConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

// addIdentity takes the key of a file. The agent helps where the file is
// encrypted, or holds the public part only.
func (c *credentials) addIdentity(file string) error {
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
	for _, signer := range c.agentKeys() {
		if bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
			c.add(signer, file+" by the agent")
			return nil
		}
	}
	missing := "the agent does not hold it"
	if len(c.tried) > 0 {
		missing = "its key cannot be had from " + c.tried[0]
	}
	return fmt.Errorf("identity_file %s cannot be used by itself (it is protected by a passphrase, or a public key), and %s: run `ssh-add %s` first", file, missing, file)
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
func (c *credentials) addDefaults() {
	for _, signer := range c.agentKeys() {
		c.add(signer, "the agent's "+describeKey(signer.PublicKey()))
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return
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
