package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/statefile"
)

// forwarding is a server that others are reached through.
func forwarding() sshdtest.Options {
	return sshdtest.Options{Config: []string{"AllowTcpForwarding yes"}}
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
	if err := c.hello("a"); !errors.As(err, &away) || time.Since(start) > 30*time.Second {
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

// What hangs behind a jump host is given up in time, though no deadline can be
// set on what that forwards.
func TestHandshakeThatHangsBehindAJump(t *testing.T) {
	c := emptyCluster(t)
	jump := c.addSSHD("jump", forwarding(), ".x")
	file := c.knownHere(jump)
	s := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	s.IdentityFile, s.KnownHosts, s.ProxyJump = c.identity, file, jump.User+"@"+jump.Addr()
	c.options.HandshakeTimeout = 4 * time.Second // of the jump host as well
	start := time.Now()
	_, err := connect(context.Background(), s, c.options.withDefaults())
	var late *HandshakeTimeoutError
	if !errors.As(err, &late) || time.Since(start) > 30*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}
