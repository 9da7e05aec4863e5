package deployer

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
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
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	line, node := c.freezable(t, "a")
	o := c.options
	o.KeepaliveInterval, o.KeepaliveGrace = 100*time.Millisecond, 3*time.Second
	d := newDevice("a", node, o.withDefaults())
	defer d.close()
	if _, err := d.run(context.Background(), "sleep", "4"); err != nil {
		t.Fatalf("a quiet command on a line that works: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { close(line.frozen) })
	start := time.Now()
	_, err := d.run(context.Background(), "sleep", "60")
	if err == nil || !strings.Contains(err.Error(), "nothing was received") {
		t.Errorf("error %v", err)
	}
	if time.Since(start) > 40*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

// A line that goes dead right after the login, before SFTP has begun, is given up like
// any other.
func TestLineDiesBeforeSFTP(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	line, node := c.freezable(t, "a")
	o := c.options
	o.KeepaliveInterval, o.KeepaliveGrace = 100*time.Millisecond, 2*time.Second
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
	case <-time.After(40 * time.Second):
		t.Fatal("it hangs")
	}
}

// A guard that is only slow to say that it is there comes later and would stop the new
// release: nothing of the old one is stopped then.
func TestSlowGuardStopsNothing(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	old, next := c.model("net", "1", 7433, "a"), c.model("net", "2", 7434, "a")
	c.mustApply(models{"net": old})
	p := c.plan(models{"net": next})
	p.Deployments[0].Switch = plan.StopFirst
	stopped := false
	c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
		if strings.Contains(op.Name, "'guard'") {
			return embedded.Hang
		}
		return embedded.Proceed
	})
	c.options.Progress = func(e Event) { stopped = stopped || e.Kind == "stop" }
	c.options.AnswerTimeout = 8 * time.Second // every other command must be done within that
	err := c.apply(p)
	if !errors.Is(err, errGuardSilent) {
		t.Errorf("error %v", err)
	}
	if stopped {
		t.Error("something was stopped")
	}
	if err := c.serves("net", old); err != nil {
		t.Error(err)
	}
}

// A connection that breaks while a guard is set stops nothing, and is not taken for a worker
// that is too old to guard: only that one's program ends by itself.
func TestBrokenGuardStopsNothing(t *testing.T) {
	for action, old := range map[embedded.Action]bool{embedded.Drop: false, embedded.Fail: true} {
		c := newCluster(t, "a")
		now, next := c.model("net", "1", 7433, "a"), c.model("net", "2", 7434, "a")
		c.mustApply(models{"net": now})
		p := c.plan(models{"net": next})
		p.Deployments[0].Switch = plan.StopFirst
		stopped, warned := false, false
		c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
			if strings.Contains(op.Name, "'guard'") {
				return action
			}
			return embedded.Proceed
		})
		c.options.Progress = func(e Event) {
			stopped = stopped || e.Kind == "stop"
			warned = warned || e.Kind == "warning" && strings.Contains(e.Message, "too old")
		}
		err := c.apply(p)
		if (err == nil) != old || stopped != old || warned != old {
			t.Errorf("fault %v: error %v, stopped %v, warned %v", action, err, stopped, warned)
		}
	}
}
