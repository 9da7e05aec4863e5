package deployer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

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

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, signer := newKey(t)
	return signer
}

func publicLine(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func knownHosts(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPinnedHostKey(t *testing.T) {
	c := newCluster(t, "a")
	if err := c.hello("a"); err != nil {
		t.Fatal(err)
	}
	other := newSigner(t).PublicKey()
	c.with("a", func(s *statefile.SSH) { s.HostKey = publicLine(other) })
	var changed *ChangedHostKeyError
	err := c.hello("a")
	if !errors.As(err, &changed) {
		t.Fatalf("error %v", err)
	}
	if changed.Expected[0].Fingerprint != ssh.FingerprintSHA256(other) || !strings.Contains(err.Error(), changed.Fingerprint) {
		t.Errorf("the fingerprints are not told: %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.HostKey = "nonsense" })
	if err := c.hello("a"); err == nil || !strings.Contains(err.Error(), "host_key") {
		t.Errorf("error %v", err)
	}
}

func TestKnownHosts(t *testing.T) {
	c := newCluster(t, "a")
	line := c.devices["a"].HostKeyLine()
	addr := c.devices["a"].Addr()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	c.with("a", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", knownHosts(t) })
	var unknown *UnknownHostKeyError
	if err := c.hello("a"); !errors.As(err, &unknown) {
		t.Fatalf("empty file: error %v", err)
	}
	for _, want := range []string{ssh.FingerprintSHA256(key), "host_key = \"" + line, unknown.KnownHosts, knownhosts.Line([]string{addr}, key)} {
		if !strings.Contains(unknown.Error(), want) {
			t.Errorf("no %q in: %v", want, unknown)
		}
	}
	c.with("a", func(s *statefile.SSH) { s.KnownHosts = knownHosts(t, unknown.Line) })
	if err := c.hello("a"); err != nil {
		t.Errorf("the line that the error gives does not do: %v", err)
	}
	file := knownHosts(t, "# comment", knownhosts.Line([]string{addr}, newSigner(t).PublicKey()))
	c.with("a", func(s *statefile.SSH) { s.KnownHosts = file })
	var changed *ChangedHostKeyError
	if err := c.hello("a"); !errors.As(err, &changed) || changed.Expected[0].Where != file+":2" {
		t.Errorf("changed key: error %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.KnownHosts = filepath.Join(t.TempDir(), "missing") })
	if err := c.hello("a"); !errors.As(err, &unknown) {
		t.Errorf("missing file: error %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.KnownHosts = "" }) // the user's own, in the test's HOME
	if err := c.hello("a"); !errors.As(err, &unknown) || !strings.HasSuffix(unknown.KnownHosts, ".ssh/known_hosts") {
		t.Errorf("default file: error %v", err)
	}
}

// A server with several key types is known by any of them, and a type that is
// not known is a changed key, not another way in.
func TestSeveralHostKeyTypes(t *testing.T) {
	c := emptyCluster(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ed := newSigner(t)
	d := c.addDevice("a", embedded.Options{HostKeys: []ssh.Signer{ed, elliptical}})
	for _, key := range []ssh.Signer{ed, elliptical} {
		file := knownHosts(t, knownhosts.Line([]string{d.Addr()}, key.PublicKey()))
		c.with("a", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
		if err := c.hello("a"); err != nil {
			t.Errorf("known by %s: %v", key.PublicKey().Type(), err)
		}
		c.with("a", func(s *statefile.SSH) { s.HostKey = publicLine(key.PublicKey()) })
		if err := c.hello("a"); err != nil {
			t.Errorf("pinned to %s: %v", key.PublicKey().Type(), err)
		}
	}
	only := c.addDevice("b", embedded.Options{HostKeys: []ssh.Signer{ed}})
	file := knownHosts(t, knownhosts.Line([]string{only.Addr()}, elliptical.PublicKey()))
	c.with("b", func(s *statefile.SSH) { s.HostKey, s.KnownHosts = "", file })
	var changed *ChangedHostKeyError
	if err := c.hello("b"); !errors.As(err, &changed) {
		t.Errorf("another type only: error %v", err)
	}
}
