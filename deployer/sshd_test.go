package deployer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

// logins counts how often a server let somebody in.
func logins(s *sshdtest.Server) int { return strings.Count(s.Log(), "Accepted publickey") }

// forwarding is a server that others are reached through.
func forwarding() sshdtest.Options {
	return sshdtest.Options{Config: []string{"AllowTcpForwarding yes"}}
}

// knownHere lists all servers in one file, and pins none.
func (c *cluster) knownHere(servers ...*sshdtest.Server) string {
	c.t.Helper()
	var lines []string
	for _, s := range servers {
		lines = append(lines, knownhosts.Line([]string{s.Addr()}, publicKey([]byte(s.HostKeyLine))))
	}
	file := filepath.Join(c.t.TempDir(), "known_hosts")
	c.write(file, strings.Join(lines, "\n")+"\n")
	for name := range c.nodes {
		c.with(name, func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
	}
	return file
}

func (c *cluster) write(file, content string) {
	c.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// sshConfig writes ~/.ssh/config.
func (c *cluster) sshConfig(format string, args ...any) {
	c.t.Helper()
	c.write(filepath.Join(os.Getenv("HOME"), ".ssh", "config"), fmt.Sprintf(format, args...))
}

// mentions fails unless an error says all of this.
func mentions(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in: %v", text, err)
		}
	}
}

// Refresh, preflight, upload and all steps of an apply go over one connection.
func TestOneConnectionPerRun(t *testing.T) {
	c := emptyCluster(t)
	s := c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	c.options.Connections = NewConnections()
	defer c.options.Connections.Close()
	if _, err := Architectures(context.Background(), c.nodes, c.options); err != nil {
		t.Fatal(err)
	}
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	if _, err := Refresh(context.Background(), c.state(), nil, c.options); err != nil {
		t.Fatal(err)
	}
	c.mustApply(models{"net": c.model("net", "2", 7434, "a")})
	if n := logins(s); n != 1 {
		t.Errorf("%d logins:\n%s", n, s.Log())
	}
}

// Two hosts to pass through, each with its host key checked, shared by all
// devices behind them; from the configuration or from ssh's.
func TestJumps(t *testing.T) {
	c := emptyCluster(t)
	outer, inner := c.addSSHD("outer", forwarding(), ".x"), c.addSSHD("inner", forwarding(), ".x")
	a, b := c.addSSHD("a", sshdtest.Options{}, ".edgeplan"), c.addSSHD("b", sshdtest.Options{}, ".edgeplan")
	file := c.knownHere(outer, inner, a, b)
	jumps := fmt.Sprintf("%s@%s,%s@%s", outer.User, outer.Addr(), inner.User, inner.Addr())
	for _, node := range []string{"a", "b"} {
		c.with(node, func(s *statefile.SSH) { s.ProxyJump = jumps })
	}
	m := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": m})
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
	for _, s := range []*sshdtest.Server{outer, inner, a, b} {
		if n := logins(s); n != 1 {
			t.Errorf("%d logins at %s", n, s.Addr())
		}
	}
	if got := c.state().Nodes["a"].SSH.ProxyJump; got != jumps {
		t.Errorf("the state has jumps %q", got)
	}
	c.mustApply(models{}) // the devices have left, and are cleaned by what the state says
	if left := c.tree("b"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}

	c.sshConfig("Host a-alias\n HostName %s\n Port %d\n User %s\n ProxyJump in\nHost in\n HostName %s\n Port %d\n ProxyJump %s:%d\nHost *\n IdentityFile %s\n",
		a.Host, a.Port, a.User, inner.Host, inner.Port, outer.Host, outer.Port, c.identity)
	c.with("a", func(s *statefile.SSH) { *s = statefile.SSH{Host: "a-alias", KnownHosts: file} })
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
	if logins(outer) != 3 || logins(inner) != 3 { // the apply that cleaned has its own
		t.Errorf("%d and %d logins", logins(outer), logins(inner))
	}
}

func TestJumpFaults(t *testing.T) {
	c := emptyCluster(t)
	jump, closed := c.addSSHD("jump", forwarding(), ".x"), c.addSSHD("closed", sshdtest.Options{}, ".x")
	a := c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	through := func(s *sshdtest.Server) {
		c.with("a", func(ssh *statefile.SSH) { ssh.ProxyJump = s.User + "@" + s.Addr() })
	}

	through(jump) // its key is not known, though the device's is pinned
	c.with("a", func(s *statefile.SSH) { s.KnownHosts = knownHosts(t) })
	var unknown *UnknownHostKeyError
	err := c.hello("a")
	if mentions(t, err, "the jump host "+jump.Addr(), "is not known"); !errors.As(err, &unknown) || unknown.Host != jump.Addr() {
		t.Errorf("error %v", err)
	}

	c.knownHere(jump, closed, a)
	through(closed)
	var forwarding *ForwardingError
	if err := c.hello("a"); !errors.As(err, &forwarding) {
		t.Errorf("error %v", err)
	}
	through(jump)
	a.Kill()
	var unreachable *UnreachableError
	err = c.hello("a")
	if mentions(t, err, "the jump host "+jump.Addr()+" cannot connect"); !errors.As(err, &unreachable) {
		t.Errorf("error %v", err)
	}
	jump.Kill()
	var away *JumpError
	c.options.Attempts = 3
	start := time.Now()
	if err := c.hello("a"); !errors.As(err, &away) || time.Since(start) > 10*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}

	c.sshConfig("Host one\n ProxyJump two\nHost two\n ProxyJump one\nHost self\n ProxyJump self\nHost cmd\n ProxyCommand nc %%h %%p\n")
	for host, want := range map[string]string{"one": "more than 8 hosts", "cmd": "ProxyCommand of host cmd is not run"} {
		c.with("a", func(s *statefile.SSH) { s.Host, s.ProxyJump = host, "" })
		mentions(t, c.hello("a"), want)
	}
	if hops, err := hopsOf(statefile.SSH{Host: "self"}); err != nil || len(hops) != 1 {
		t.Errorf("self: %v, error %v", hops, err)
	}
	if hops, err := hopsOf(statefile.SSH{Host: "one", ProxyJump: "none"}); err != nil || len(hops) != 1 {
		t.Errorf("none: %v, error %v", hops, err)
	}
}

// A jump host that dies in the middle is named.
func TestJumpHostDies(t *testing.T) {
	c := emptyCluster(t)
	jump, a := c.addSSHD("jump", forwarding(), ".x"), c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	c.knownHere(jump, a)
	c.with("a", func(s *statefile.SSH) { s.ProxyJump = jump.User + "@" + jump.Addr() })
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	if _, err := d.run(context.Background(), "true"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, jump.Kill)
	_, err := d.run(context.Background(), "sleep", "10")
	mentions(t, err, "the jump host "+jump.Addr(), "the connection was lost")
}

// What the configuration gives wins over ssh's settings.
func TestConfigurationWins(t *testing.T) {
	c := emptyCluster(t)
	a := c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	other, _ := writeIdentity(t)
	c.sshConfig("Host %s\n User nobody-here\n Port 1\n IdentityFile %s\n ProxyJump nowhere.invalid\n UserKnownHostsFile /nowhere\n", a.Host, other)
	c.with("a", func(s *statefile.SSH) { s.ProxyJump = "none" })
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
	c.with("a", func(s *statefile.SSH) { s.ProxyJump, s.Config = "", "none" })
	if err := c.hello("a"); err != nil {
		t.Errorf("without ssh's settings: %v", err)
	}
	file := filepath.Join(t.TempDir(), "lab")
	c.write(file, fmt.Sprintf("Host x\n HostName %s\n Port %d\n User %s\n IdentityFile %s\n HostKeyAlias the-device\n", a.Host, a.Port, a.User, c.identity))
	c.write(file+".hosts", "the-device "+a.HostKeyLine+"\n")
	c.with("a", func(s *statefile.SSH) { *s = statefile.SSH{Host: "x", Config: file, KnownHosts: file + ".hosts"} })
	if err := c.hello("a"); err != nil {
		t.Errorf("with a file of its own: %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.Config = "/nowhere/config" })
	mentions(t, c.hello("a"), "/nowhere/config")
	c.sshConfig("Match exec true\n User x\n")
	c.with("a", func(s *statefile.SSH) { s.Config = "" })
	mentions(t, c.hello("a"), `"Match exec" is not evaluated`, `ssh_config = "none"`)
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6 loopback address: ", err)
	} else {
		l.Close()
	}
	c := emptyCluster(t)
	a := c.addSSHD("a", sshdtest.Options{IP: "::1", Config: []string{"AllowTcpForwarding yes"}}, ".edgeplan")
	b := c.addSSHD("b", sshdtest.Options{}, ".edgeplan")
	c.knownHere(a, b)
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
	c.with("b", func(s *statefile.SSH) { s.ProxyJump = fmt.Sprintf("%s@[::1]:%d", a.User, a.Port) })
	if err := c.hello("b"); err != nil {
		t.Errorf("through it: %v", err)
	}
}

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
	c.options.HandshakeTimeout = 500 * time.Millisecond
	c.options.Passphrase = func(context.Context, string) (string, error) {
		time.Sleep(time.Second)
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

func TestHostCertificates(t *testing.T) {
	c := emptyCluster(t)
	authority := newSigner(t)
	a := c.addSSHD("a", sshdtest.Options{CertifyHost: authority}, ".edgeplan")
	trustIn := func(line string) string {
		file := knownHosts(t, line)
		c.with("a", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
		return file
	}
	line := publicLine(authority.PublicKey())
	for _, name := range []string{knownhosts.Normalize(a.Addr()), "127.0.0.*"} {
		trustIn("@cert-authority " + name + " " + line)
		if err := c.hello("a"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	trustIn("@cert-authority other.example.net " + line)
	var unknown *UnknownHostKeyError
	if err := c.hello("a"); !errors.As(err, &unknown) || unknown.Type != ssh.KeyAlgoED25519 {
		t.Errorf("another's authority: %v", err)
	}
	trustIn("@cert-authority * " + publicLine(newSigner(t).PublicKey()))
	var wrong *HostCertificateError
	if err := c.hello("a"); !errors.As(err, &wrong) {
		t.Errorf("the wrong authority: %v", err)
	}
	mentions(t, c.hello("a"), "test host", ssh.FingerprintSHA256(authority.PublicKey()))
	trustIn(knownhosts.Line([]string{a.Addr()}, publicKey([]byte(a.HostKeyLine))))
	if err := c.hello("a"); err != nil {
		t.Errorf("known by its key: %v", err)
	}
	file := trustIn("@revoked * " + a.HostKeyLine)
	mentions(t, c.hello("a"), "is revoked ("+file+":1)")
	plain := c.addSSHD("b", sshdtest.Options{}, ".edgeplan")
	file = knownHosts(t, "@cert-authority "+knownhosts.Normalize(plain.Addr())+" "+line)
	c.with("b", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
	mentions(t, c.hello("b"), "an authority whose certificate the device does not show")
}

// The line that the error gives does what it says.
func TestChangedKeyIsForgotten(t *testing.T) {
	c := emptyCluster(t)
	a := c.addSSHD("a", sshdtest.Options{}, ".edgeplan")
	old, other := newSigner(t).PublicKey(), "other.example.net "+publicLine(newSigner(t).PublicKey())
	name := knownhosts.Normalize(a.Addr())
	file := knownHosts(t, xknownhosts.HashHostname(name)+" "+publicLine(old), other)
	c.with("a", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
	err := c.hello("a")
	remedy := fmt.Sprintf("ssh-keygen -R '%s' -f %s", name, file)
	mentions(t, err, ssh.FingerprintSHA256(old), ssh.FingerprintSHA256(publicKey([]byte(a.HostKeyLine))), file+":1", remedy)
	c.with("a", func(s *statefile.SSH) { s.HostKeyChecking = "accept-new" })
	mentions(t, c.hello("a"), "changed", remedy)

	shell(t, remedy)
	c.with("a", func(s *statefile.SSH) { s.HostKeyChecking = "" })
	var unknown *UnknownHostKeyError
	if err := c.hello("a"); !errors.As(err, &unknown) {
		t.Errorf("forgotten: %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.HostKeyChecking = "accept-new" })
	if err := c.hello("a"); err != nil {
		t.Errorf("trusted: %v", err)
	}
	content, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(content), other+"\n") {
		t.Errorf("%s, error %v", content, err)
	}
	c.with("a", func(s *statefile.SSH) { s.HostKeyChecking = "strict" })
	if err := c.hello("a"); err != nil {
		t.Errorf("known from then on: %v", err)
	}
	for _, hash := range []string{"yes", "no"} {
		file := filepath.Join(t.TempDir(), "new", "known_hosts")
		c.sshConfig("StrictHostKeyChecking accept-new\nHashKnownHosts %s\nUserKnownHostsFile %s\n", hash, file)
		c.with("a", func(s *statefile.SSH) { s.HostKeyChecking, s.KnownHosts = "", "" })
		if err := errors.Join(c.hello("a"), c.hello("a")); err != nil {
			t.Errorf("by ssh's settings: %v", err)
		}
		content, err := os.ReadFile(file)
		if err != nil || strings.Count(string(content), "\n") != 1 || strings.Contains(string(content), "127.0.0.1") == (hash == "yes") {
			t.Errorf("HashKnownHosts %s: %s, error %v", hash, content, err)
		}
	}
}

// Many new devices at once leave whole lines, after one that has no end.
func TestManyNewDevices(t *testing.T) {
	c := emptyCluster(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	c.write(file, "other.example.net "+publicLine(newSigner(t).PublicKey())) // no line end
	var names []string
	for i := range 12 {
		name := fmt.Sprintf("n%d", i)
		names = append(names, name)
		c.addDevice(name, embedded.Options{})
		c.with(name, func(s *statefile.SSH) { s.HostKey, s.KnownHosts, s.HostKeyChecking = "", file, "accept-new" })
	}
	if err := each(names, 12, c.hello); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		c.with(name, func(s *statefile.SSH) { s.HostKeyChecking = "strict" })
	}
	if err := each(names, 12, c.hello); err != nil {
		t.Error(err)
	}
}

// A server with three kinds of keys, of which known_hosts has one, hashed.
func TestSeveralHostKeysOfSSHD(t *testing.T) {
	c := emptyCluster(t)
	dir := t.TempDir()
	var config []string
	var keys []ssh.PublicKey
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range []any{elliptical, long} {
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprint(i))
		c.write(file, string(pem.EncodeToMemory(block)))
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		keys, config = append(keys, signer.PublicKey()), append(config, "HostKey "+file)
	}
	a := c.addSSHD("a", sshdtest.Options{Config: config}, ".edgeplan")
	for _, key := range append(keys, publicKey([]byte(a.HostKeyLine))) {
		file := knownHosts(t, xknownhosts.HashHostname(knownhosts.Normalize(a.Addr()))+" "+publicLine(key))
		c.with("a", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
		if err := c.hello("a"); err != nil {
			t.Errorf("known by %s: %v", key.Type(), err)
		}
		c.with("a", func(s *statefile.SSH) { s.HostKey = publicLine(key) })
		if err := c.hello("a"); err != nil {
			t.Errorf("pinned to %s: %v", key.Type(), err)
		}
	}
}

func TestNoSFTP(t *testing.T) {
	c := emptyCluster(t)
	c.addSSHD("a", sshdtest.Options{NoSFTP: true}, ".edgeplan")
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	mentions(t, err, "a: SFTP cannot be used", "openssh-sftp-server", "Subsystem sftp")
	if left := c.tree("a"); len(left) > 0 {
		t.Errorf("%q was written", left)
	}
}

// shell runs what an error tells a person to type.
func shell(t testing.TB, line string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}
