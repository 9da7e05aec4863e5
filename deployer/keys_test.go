package deployer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

// An agent with more keys than the device has patience: the named one goes first.
func TestAgentWithManyKeys(t *testing.T) {
	c := emptyCluster(t)
	var keys []ed25519.PrivateKey
	var right ssh.Signer // the last one
	for range 12 {
		key, signer := newKey(t)
		keys, right = append(keys, key), signer
	}
	c.key = right.PublicKey()
	a := c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	startAgent(t, keys...)
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	mentions(t, c.hello("a"), "too many keys", "IdentitiesOnly", "identity_file")

	public := filepath.Join(t.TempDir(), "right.pub")
	c.write(public, publicLine(c.key))
	before := strings.Count(a.Log(), "Failed publickey")
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = public })
	if err := c.hello("a"); err != nil {
		t.Errorf("named by its public part: %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	for _, only := range []string{"no", "yes"} {
		c.sshConfig("IdentityFile %s\nIdentitiesOnly %s\n", public, only)
		if err := c.hello("a"); err != nil {
			t.Errorf("IdentitiesOnly %s: %v", only, err)
		}
	}
	if after := strings.Count(a.Log(), "Failed publickey"); after != before {
		t.Errorf("%d other keys were offered", after-before)
	}
	wrong, _ := writeIdentity(t)
	c.sshConfig("IdentityFile %s\nIdentitiesOnly yes\n", wrong)
	err := c.hello("a")
	if mentions(t, err, wrong); strings.Contains(err.Error(), "the agent's") {
		t.Errorf("IdentitiesOnly and others: %v", err)
	}
}

// asked is a person who types.
type asked struct {
	mu      sync.Mutex
	answers []string
	times   int
}

func (a *asked) ask(_ context.Context, question string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times++
	if len(a.answers) == 0 {
		return "", errors.New("nobody is there")
	}
	answer := a.answers[0]
	a.answers = a.answers[1:]
	return answer, nil
}

func TestPassphrases(t *testing.T) {
	c := emptyCluster(t)
	key, signer := newKey(t)
	c.key = signer.PublicKey()
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	c.addSSHD("b", sshdtest.Options{}, ".edgeplan")
	locked := encryptedIdentity(t, key)
	for name := range c.nodes {
		c.with(name, func(s *statefile.SSH) { s.IdentityFile = locked })
	}
	t.Setenv(PassphraseVariable, "")
	mentions(t, c.hello("a"), "there is no terminal", "ssh-add "+locked, PassphraseVariable)

	person := &asked{answers: []string{"wrong", "secret"}}
	c.options.Passphrase = person.ask
	c.options.Connections = NewConnections()
	if err := errors.Join(c.hello("a"), c.hello("b")); err != nil || person.times != 2 {
		t.Errorf("asked %d times, error %v", person.times, err)
	}
	c.options.Connections.Close()

	person = &asked{answers: []string{"1", "2", "3"}}
	c.options.Passphrase, c.options.Connections = person.ask, NewConnections()
	mentions(t, errors.Join(c.hello("a"), c.hello("b")), "none of the 3")
	if person.times != 3 {
		t.Errorf("asked %d times", person.times)
	}

	c.options.Passphrase, c.options.Connections = nil, nil
	t.Setenv(PassphraseVariable, "nonsense")
	mentions(t, c.hello("a"), "that of "+PassphraseVariable+" does not open it")
	t.Setenv(PassphraseVariable, "secret")
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
}

// Typing may take longer than a handshake may.
func TestPassphraseTakesItsTime(t *testing.T) {
	c := emptyCluster(t)
	key, signer := newKey(t)
	c.key = signer.PublicKey()
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = encryptedIdentity(t, key) })
	c.options.HandshakeTimeout = 2500 * time.Millisecond
	c.options.Passphrase = func(context.Context, string) (string, error) {
		time.Sleep(3500 * time.Millisecond)
		return "secret", nil
	}
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
}

// The formats of old keep the public part locked up as well.
func TestOldKeyFormat(t *testing.T) {
	c := emptyCluster(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.key = signer.PublicKey()
	c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	//lint:ignore SA1019 keys of this kind are still in use
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "old")
	c.write(file, string(pem.EncodeToMemory(block)))
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = file })
	t.Setenv(PassphraseVariable, "secret")
	for range 2 { // without and with the public part beside it
		if err := c.hello("a"); err != nil {
			t.Error(err)
		}
		c.write(file+".pub", publicLine(c.key))
	}
}

func certified(t *testing.T, authority ssh.Signer, key ssh.PublicKey, kind uint32, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	cert := &ssh.Certificate{Key: key, CertType: kind, KeyId: "test", ValidBefore: ssh.CertTimeInfinity}
	change(cert)
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return cert
}

// A key that no device knows lets in by its certificate, beside it or named.
func TestUserCertificates(t *testing.T) {
	c := emptyCluster(t)
	authority := newSigner(t)
	file := filepath.Join(t.TempDir(), "ca.pub")
	c.write(file, publicLine(authority.PublicKey()))
	own, public := writeIdentity(t)
	a := c.addSSHD("a", sshdtest.Options{Config: []string{"TrustedUserCAKeys " + file}}, ".edgeplan")
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = own })
	var refused *AuthError
	if err := c.hello("a"); !errors.As(err, &refused) {
		t.Errorf("without a certificate: %v", err)
	}
	cert := certified(t, authority, public, ssh.UserCert, func(cert *ssh.Certificate) { cert.ValidPrincipals = []string{a.User} })
	c.write(own+"-cert.pub", publicLine(cert))
	if err := c.hello("a"); err != nil {
		t.Errorf("beside the key: %v", err)
	}
	named := filepath.Join(t.TempDir(), "named")
	c.write(named, publicLine(cert))
	if err := os.Remove(own + "-cert.pub"); err != nil {
		t.Fatal(err)
	}
	c.sshConfig("CertificateFile %s\n", named)
	if err := c.hello("a"); err != nil {
		t.Errorf("by CertificateFile: %v", err)
	}
	old := certified(t, authority, public, ssh.UserCert, func(cert *ssh.Certificate) {
		cert.ValidPrincipals, cert.ValidBefore = []string{a.User}, 1600000000
	})
	c.write(named, publicLine(old))
	mentions(t, c.hello("a"), named+" (expired 2020-09-13")
}
