package deployer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
)

// lostInSwitch loses the gateway in the very moment of its switch, before or after it.
func (c *cluster) lostInSwitch(gateway string, how embedded.Action) {
	var mu sync.Mutex
	linked, lost := false, false
	c.devices[gateway].SetFault(func(op embedded.Operation) embedded.Action {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case lost:
			return embedded.Drop
		case op.Kind == embedded.Exec && strings.Contains(op.Name, "'-sfn'"):
			linked = true
		case linked && op.Kind == embedded.SFTP && strings.HasPrefix(op.Name, "posix-rename"):
			lost = true
			return how
		}
		return embedded.Proceed
	})
}

// When nobody can say whether the gateway has switched, both releases run on every
// other device, so that either answers; the next apply finds out.
func TestGatewayIsLostInItsSwitch(t *testing.T) {
	for _, action := range []embedded.Action{embedded.Drop, embedded.DropAfter} {
		for _, how := range []plan.Switch{plan.Beside, plan.StopFirst} {
			c := newCluster(t, "a", "b", "c")
			old, next := c.model("net", "1", 7433, "a", "b", "c"), c.model("net", "2", 7434, "a", "b", "c")
			c.mustApply(models{"net": old})
			c.lostInSwitch("a", action)
			p := c.plan(models{"net": next})
			p.Deployments[0].Switch = how
			err := c.apply(p)
			c.devices["a"].SetFault(nil)
			if !errors.Is(err, errInDoubt) {
				t.Fatalf("%d %s: %v", action, how, err)
			}
			for _, node := range []string{"b", "c"} {
				if !c.running(node, "net", old.Release) || !c.running(node, "net", next.Release) {
					t.Errorf("%d %s: on %s the old release runs: %v, the new one: %v", action, how, node,
						c.running(node, "net", old.Release), c.running(node, "net", next.Release))
				}
			}
			seen, err := Refresh(context.Background(), c.state(), nil, c.options)
			if err != nil || len(seen.Drift) == 0 {
				t.Errorf("%d %s: drift %v, error %v", action, how, seen.Drift, err)
			}
			c.mustApply(models{"net": next})
			if err := c.serves("net", next); err != nil {
				t.Errorf("%d %s: %v", action, how, err)
			}
		}
	}
}

// An operator who is cut off after the old release was stopped has it started again
// by the devices themselves.
func TestDevicesBringBackWhatWasStopped(t *testing.T) {
	c := newCluster(t, "a", "b")
	old, next := c.model("net", "1", 7433, "a", "b"), c.model("net", "2", 7434, "a", "b")
	c.mustApply(models{"net": old})
	p := c.plan(models{"net": next})
	p.Deployments[0].Switch = plan.StopFirst
	for _, node := range []string{"a", "b"} { // no more commands from the first start on
		var mu sync.Mutex
		cut := false
		c.devices[node].SetFault(func(op embedded.Operation) embedded.Action {
			mu.Lock()
			defer mu.Unlock()
			cut = cut || op.Kind == embedded.Exec && strings.Contains(op.Name, "edgeplan-worker' 'start'")
			if cut {
				return embedded.Drop
			}
			return embedded.Proceed
		})
	}
	if err := c.apply(p); err == nil {
		t.Fatal("no error")
	}
	for _, node := range []string{"a", "b"} {
		c.becomes(t, func() bool { return c.running(node, "net", old.Release) })
		c.devices[node].SetFault(nil)
	}
	c.mustApply(models{"net": next})
	if err := c.serves("net", next); err != nil {
		t.Error(err)
	}
}

// becomes waits until something is so.
func (c *cluster) becomes(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 30 s")
		}
	}
}
