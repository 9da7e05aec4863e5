package deployer

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
)

// hello connects to a node and runs a command.
func (c *cluster) hello(node string) error {
	d := newDevice(node, c.nodes[node], c.options.withDefaults())
	defer d.close()
	out, err := d.run(context.Background(), "echo", "hello")
	if err == nil && out != "hello\n" {
		return errors.New("the device said " + out)
	}
	return err
}

// with changes how a node is reached.
func (c *cluster) with(node string, change func(*statefile.SSH)) {
	n := c.nodes[node]
	change(&n.SSH)
	c.nodes[node] = n
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, signer := newKey(t)
	return signer
}

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

func TestRefusedKey(t *testing.T) {
	c := newCluster(t, "a")
	file, _ := writeIdentity(t)
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = file })
	c.options.Attempts = 5
	var refused *AuthError
	start := time.Now()
	if err := c.hello("a"); !errors.As(err, &refused) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), `user "pi"`) {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > time.Second/2 {
		t.Error("a refused key was tried again")
	}
	c.with("a", func(s *statefile.SSH) { s.IdentityFile = "" })
	if err := c.hello("a"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no key to offer") {
		t.Errorf("error %v", err)
	}
}

// encryptedIdentity is a key with a passphrase, in a file.
func encryptedIdentity(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
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
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
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

// listen accepts connections and lets handle deal with them.
func listen(t *testing.T, handle func(net.Conn)) statefile.SSH {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); handle(conn) }()
		}
	}()
	addr := listener.Addr().(*net.TCPAddr)
	return statefile.SSH{Host: addr.IP.String(), Port: addr.Port, User: "pi"}
}

func TestHandshakeThatHangs(t *testing.T) {
	c := emptyCluster(t)
	s := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	c.options.HandshakeTimeout = 200 * time.Millisecond
	start := time.Now()
	_, err := connect(context.Background(), s, c.options.withDefaults())
	var late *HandshakeTimeoutError
	if !errors.As(err, &late) {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > 2*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

// A device that breaks off is tried again; the answer of the last try counts.
func TestConnectTriesAgain(t *testing.T) {
	c := newCluster(t, "a")
	tries := make(chan struct{}, 10)
	target := c.devices["a"].Addr()
	s := listen(t, func(conn net.Conn) {
		tries <- struct{}{}
		if len(tries) < 3 {
			return // break off
		}
		behind, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer behind.Close()
		go func() { _, _ = io.Copy(behind, conn) }()
		_, _ = io.Copy(conn, behind)
	})
	s.IdentityFile, s.HostKey = c.identity, c.nodes["a"].SSH.HostKey
	o := c.options
	o.Attempts, o.DialTimeout = 2, 10*time.Millisecond // short pauses
	var unreachable *UnreachableError
	if _, err := connect(context.Background(), s, o.withDefaults()); !errors.As(err, &unreachable) {
		t.Errorf("two tries: error %v", err)
	}
	l, err := connect(context.Background(), s, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	l.close()
}

func TestConnectEndsWithItsContext(t *testing.T) {
	c := emptyCluster(t)
	s := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	s.IdentityFile, s.KnownHosts = c.identity, knownHosts(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := connect(ctx, s, c.options.withDefaults()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// freezer is a line between operator and device that can go silent.
type freezer struct {
	frozen chan struct{}
}

func (f freezer) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-f.frozen:
			if err != nil {
				return
			}
			continue // packets are dropped
		default:
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

func TestSilentLineIsCut(t *testing.T) {
	c := newCluster(t, "a")
	line := freezer{make(chan struct{})}
	target := c.devices["a"].Addr()
	s := listen(t, func(conn net.Conn) {
		behind, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer behind.Close()
		go line.copy(behind, conn)
		line.copy(conn, behind)
	})
	node := c.nodes["a"]
	node.SSH.Host, node.SSH.Port = s.Host, s.Port
	o := c.options
	o.KeepaliveInterval, o.KeepaliveGrace = 50*time.Millisecond, 300*time.Millisecond
	d := newDevice("a", node, o.withDefaults())
	defer d.close()
	if _, err := d.run(context.Background(), "sleep", "0.6"); err != nil {
		t.Fatalf("a quiet command on a line that works: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { close(line.frozen) })
	start := time.Now()
	_, err := d.run(context.Background(), "sleep", "20")
	if err == nil || !strings.Contains(err.Error(), "nothing was received") {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > 3*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

func TestUnreachable(t *testing.T) {
	c := newCluster(t, "a")
	c.devices["a"].Close()
	var unreachable *UnreachableError
	if err := c.hello("a"); !errors.As(err, &unreachable) {
		t.Errorf("error %v", err)
	}
	c.with("a", func(s *statefile.SSH) { s.Host = "no-such-host.invalid" })
	if err := c.hello("a"); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Errorf("error %v", err)
	}
}

// Names that only the system's resolver knows are found by it.
func TestSystemResolver(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\n[ \"$2\" = hall.invalid ] && echo '127.0.0.1 hall.invalid'\n"
	if err := os.WriteFile(filepath.Join(bin, "getent"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	c := newCluster(t, "a")
	c.with("a", func(s *statefile.SSH) { s.Host = "hall.invalid" })
	if err := c.hello("a"); err != nil {
		t.Error(err)
	}
}

// Whatever an argument holds, it arrives as it is.
func TestArgumentsAreQuoted(t *testing.T) {
	c := newCluster(t, "a")
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	for _, hostile := range hostileTexts() {
		out, err := d.run(context.Background(), "printf", "%s", hostile)
		if err != nil || out != hostile {
			t.Errorf("%q arrived as %q, error %v", hostile, out, err)
		}
	}
	if _, err := d.run(context.Background(), "echo", "a\x00b"); err == nil {
		t.Error("a zero byte was sent")
	}
}

func hostileTexts() []string {
	return []string{"", " ", "a b", "it's", `"quoted"`, "$(touch owned)", "`touch owned`", "; touch owned", "a\nb", "a\\nb", "&& false",
		"..", "-rf", "*", "~", "größe", "日本", "'; touch owned; '", "'\"'\"'", "!!", "\t", "#", "a\\'b"}
}

func TestCommandErrors(t *testing.T) {
	c := newCluster(t, "a")
	d := newDevice("a", c.nodes["a"], c.options.withDefaults())
	defer d.close()
	_, err := d.run(context.Background(), "sh", "-c", "echo one >&2; echo two >&2; exit 3")
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Status != 3 || failed.Stderr != "one\ntwo" {
		t.Errorf("error %#v", err)
	}
	// $PPID is the shell that the server started, which so ends by a signal.
	if _, err = d.run(context.Background(), "sh", "-c", "kill -KILL $PPID"); !errors.As(err, &failed) || failed.Signal != "KILL" {
		t.Errorf("error %v", err)
	}
	if _, err = d.run(context.Background(), "yes"); err == nil || !strings.Contains(err.Error(), "printed more than") {
		t.Errorf("endless output: error %v", err)
	}
	if _, err = d.runFor(context.Background(), 50*time.Millisecond, "sleep", "20"); err == nil || !strings.Contains(err.Error(), "longer than 50ms") {
		t.Errorf("error %v", err)
	}
	noise, err := d.run(context.Background(), "sh", "-c", "yes | head -c 1000000 >&2; echo done")
	if err != nil || noise != "done\n" {
		t.Errorf("much on standard error: %q, %v", noise, err)
	}
}

func TestProxyTellsWhyItEnded(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	conn, err := DialWorker(context.Background(), c.state(), "net", "a", c.options)
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what was sent did not come back: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(c.deployment("a", "net"), "current", "running")); err != nil {
		t.Fatal(err)
	}
	conn, err = DialWorker(context.Background(), c.state(), "net", "a", c.options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(got); err == nil || !strings.Contains(err.Error(), "no worker answers") {
		t.Errorf("error %v", err)
	}
	if _, err := DialWorker(context.Background(), c.state(), "net", "b", c.options); err == nil {
		t.Error("connected to a node that is not in the state")
	}
}

func TestArchitectures(t *testing.T) {
	c := newCluster(t, "a", "b")
	found, err := Architectures(context.Background(), c.nodes, c.options)
	if err != nil || found["a"] != c.nodes["a"].Architecture || found["b"] != c.nodes["b"].Architecture {
		t.Errorf("%v, error %v", found, err)
	}
	c.devices["b"].Close()
	if _, err := Architectures(context.Background(), c.nodes, c.options); err == nil || !strings.Contains(err.Error(), "b: ") {
		t.Errorf("error %v", err)
	}
}

func TestArchitectureOf(t *testing.T) {
	tests := []struct{ system, machine, bits, want string }{
		{"Linux", "x86_64", "64", "linux/amd64"},
		{"Linux", "x86_64", "unknown", "linux/amd64"},
		{"Linux", "x86_64", "32", "linux/386"},
		{"Linux", "aarch64", "64", "linux/arm64"},
		{"Linux", "aarch64", "32", "linux/arm"}, // 64-bit kernel of Raspberry Pi OS
		{"Linux", "armv7l", "32", "linux/arm"},
		{"Linux", "armv6l", "32", "linux/arm"},
		{"Linux", "riscv64", "64", "linux/riscv64"},
		{"Darwin", "arm64", "64", "darwin/arm64"},
	}
	for _, test := range tests {
		if got := architectureOf(test.system, test.machine, test.bits); got != test.want {
			t.Errorf("%s %s %s: %s, want %s", test.system, test.machine, test.bits, got, test.want)
		}
	}
}
