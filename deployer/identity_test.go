package deployer

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
)

func newKey(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

func TestRefusedKey(t *testing.T) {
	c := newCluster(t, "a")
	file, _ := writeIdentity(t)
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = file })
	c.options.Attempts = 5
	var refused *AuthError
	target := c.devices["a"].Addr()
	var connections atomic.Int32
	line := listen(t, func(conn net.Conn) {
		connections.Add(1)
		passOn(conn, target)
	})
	c.with("a", func(s *statefile.SSH) { s.Host, s.Port = line.Host, line.Port })
	if err := c.hello("a"); !errors.As(err, &refused) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), `user "pi"`) {
		t.Errorf("error %v", err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections were made for a key that is refused", n)
	}
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	if err := c.hello("a"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no key to offer") {
		t.Errorf("error %v", err)
	}
}

// encryptedIdentity is a key with a passphrase, in a file. One round of its derivation does:
// with the race detector those that are usual take seconds for each passphrase that is tried.
func encryptedIdentity(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "secret", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return file
}

// startAgent serves a key ring at SSH_AUTH_SOCK.
func startAgent(t *testing.T, keys ...ed25519.PrivateKey) {
	t.Helper()
	ring := agent.NewKeyring()
	for _, key := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(t.TempDir(), "agent")
	accept(t, "unix", socket, func(conn net.Conn) { _ = agent.ServeAgent(ring, conn) })
	t.Setenv("SSH_AUTH_SOCK", socket)
}

func TestAgentAndEncryptedKeys(t *testing.T) {
	c := emptyCluster(t)
	key, signer := newKey(t)
	c.key = signer.PublicKey()
	c.addDevice("a", embedded.Options{})
	locked := encryptedIdentity(t, key)
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = locked })
	if err := c.hello("a"); err == nil || !strings.Contains(err.Error(), "ssh-add "+locked) {
		t.Errorf("encrypted, no agent: error %v", err)
	}
	other, _ := newKey(t)
	startAgent(t, other, key)
	if err := c.hello("a"); err != nil {
		t.Errorf("encrypted, held by the agent: %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	if err := c.hello("a"); err != nil {
		t.Errorf("agent alone: %v", err)
	}
}

func TestDefaultIdentity(t *testing.T) {
	c := newCluster(t, "a")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(c.identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
}
