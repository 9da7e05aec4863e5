package deployer

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeplan/edgeplan/statefile"
)

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

// freezable is a line to a node, and the node as it is reached over it.
func (c *cluster) freezable(t *testing.T, name string) (freezer, statefile.Node) {
	t.Helper()
	line := freezer{make(chan struct{})}
	target := c.devices[name].Addr()
	s := listen(t, func(conn net.Conn) {
		behind, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer behind.Close()
		go line.copy(behind, conn)
		line.copy(conn, behind)
	})
	node := c.nodes[name]
	node.SSH.Host, node.SSH.Port = s.Host, s.Port
	return line, node
}

func TestSilentLineIsCut(t *testing.T) {
	c := newCluster(t, "a")
	line, node := c.freezable(t, "a")
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

// A line that goes dead right after the login, before SFTP has begun, is given up like
// any other.
func TestLineDiesBeforeSFTP(t *testing.T) {
	c := newCluster(t, "a")
	line, node := c.freezable(t, "a")
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
