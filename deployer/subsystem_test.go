package deployer

import (
	"context"
	"net"
	"testing"
	"time"
)

// A line that goes dead right after the login, before SFTP has begun, is given up like
// any other.
func TestLineDiesBeforeSFTP(t *testing.T) {
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
	o.KeepaliveInterval, o.KeepaliveGrace = 100*time.Millisecond, 300*time.Millisecond
	d := newDevice("a", node, o.withDefaults())
	defer d.close()
	if _, err := d.connected(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(line.frozen)
	done := make(chan error, 1)
	go func() {
		_, err := siteOf(context.Background(), d, ".edgeplan", testLineage)
		done <- err
	}()
	select {
	case err := <-done:
		mentions(t, err, "nothing was received")
	case <-time.After(5 * time.Second):
		t.Fatal("it hangs")
	}
}
