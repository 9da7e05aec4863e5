package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skeema/knownhosts"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

// logins counts how often a server let somebody in.
func logins(s *sshdtest.Server) int { return strings.Count(s.Log(), "Accepted publickey") }

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
