package deployer

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
)

// second is another operator's state for the same devices.
func (c *cluster) second() *cluster {
	other := *c
	other.recorder, other.lineage = &recorder{}, "ffffffff-1234-4234-8234-123456789abc"
	other.options.probe = other.echoes
	other.options.Holder = Holder{Who: "bo@desk", Operation: "destroy", State: "bo's"}
	return &other
}

// once does something at the first operation for which when holds.
func once(c *cluster, node string, when func(embedded.Operation) bool, do func()) {
	var done atomic.Bool
	c.devices[node].SetFault(func(op embedded.Operation) embedded.Action {
		if when(op) && done.CompareAndSwap(false, true) {
			do()
		}
		return embedded.Proceed
	})
}

// While one state brings its blobs, another leaves the device: it takes nothing
// that the first found there, is uploading or has just uploaded. Leases keep the two
// apart; this is what is left when one of them was taken away.
func TestTwoStatesOnOneDevice(t *testing.T) {
	moments := map[string]func(embedded.Operation) bool{
		"uploading": func(op embedded.Operation) bool { return op.Bytes > 1000 },
		"hashing": func(op embedded.Operation) bool {
			return op.Kind == embedded.Exec && strings.Contains(op.Name, "'hash files'")
		},
		"key": func(op embedded.Operation) bool {
			return op.Kind == embedded.Exec && strings.Contains(op.Name, "'key'")
		},
		"linking":  func(op embedded.Operation) bool { return op.Name == "hardlink@openssh.com" },
		"starting": func(op embedded.Operation) bool { return strings.Contains(op.Name, "'start'") },
	}
	for name, moment := range moments {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "a")
			other := c.second()
			other.options.withoutLease = true
			other.mustApply(models{"net": other.model("net", "0", 7500, "a")}) // shares blobs
			m := c.model("net", "1", 7433, "a")
			var left error
			once(c, "a", moment, func() {
				p := other.plan(models{})
				left = other.apply(p)
			})
			c.mustApply(models{"net": m})
			if left != nil {
				t.Error(left)
			}
			if err := c.serves("net", m); err != nil {
				t.Error(err)
			}
			if len(other.state().Nodes) > 0 {
				t.Error("the other state still has the device")
			}
		})
	}
}

// Two states leave a device at once: nothing stays.
func TestTwoStatesLeaveAtOnce(t *testing.T) {
	c := newCluster(t, "a")
	other := c.second()
	other.options.withoutLease = true
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	other.mustApply(models{"net": other.model("net", "0", 7500, "a")})
	removal := func(op embedded.Operation) bool { return strings.Contains(op.Name, "'rm' '-rf'") }
	once(c, "a", removal, func() { other.mustApply(models{}) })
	c.mustApply(models{})
	if left := c.tree("a"); len(left) > 0 {
		t.Errorf("a is not clean: %q", left)
	}
}

// Temporary files are removed when they are one's own, or old.
func TestTemporaryFiles(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	own, live, dead := temporary+"12345678-aa", temporary+"ffffffff-bb", temporary+"ffffffff-cc"
	for _, name := range []string{own, live, dead} {
		if err := os.WriteFile(filepath.Join(c.root("a"), "blobs", "sha256", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-49 * time.Hour)
	if err := os.Chtimes(filepath.Join(c.root("a"), "blobs", "sha256", dead), old, old); err != nil {
		t.Fatal(err)
	}
	c.mustApply(models{"net": c.model("net", "2", 7434, "a")})
	files := strings.Join(c.tree("a"), " ")
	for name, stays := range map[string]bool{own: false, live: true, dead: false} {
		if strings.Contains(files, name) != stays {
			t.Errorf("%s: there should be %v in %s", name, stays, files)
		}
	}
}

// What a run that failed has claimed goes with the next run.
func TestClaimOfAFailedRunIsCleaned(t *testing.T) {
	c := newCluster(t, "a")
	c.mustApply(models{"net": c.model("net", "1", 7433, "a")})
	c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
		if op.Kind == embedded.Exec && strings.Contains(op.Name, "'hash files'") {
			return embedded.Fail
		}
		return embedded.Proceed
	})
	if err := c.apply(c.plan(models{"net": c.model("net", "2", 7434, "a")})); err == nil {
		t.Fatal("applied")
	}
	c.devices["a"].SetFault(nil)
	if !strings.Contains(strings.Join(c.tree("a"), " "), unfinished) {
		t.Fatal("nothing was claimed")
	}
	c.mustApply(models{"net": c.model("net", "3", 7434, "a")})
	if files := strings.Join(c.tree("a"), " "); strings.Contains(files, unfinished) {
		t.Errorf("left: %s", files)
	}
}

// A device that is away when everything is destroyed is cleaned by the next
// destroy that reaches it.
func TestDestroyWithADeviceAway(t *testing.T) {
	c := newCluster(t, "a", "b")
	m := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": m})
	away := c.nodes["b"].SSH.Port
	c.devices["b"].Close()
	err := c.apply(plan.Destroy(c.state()))
	if err == nil || !strings.Contains(err.Error(), "b: cannot be reached") {
		t.Errorf("error %v", err)
	}
	s := c.state()
	if _, kept := s.Nodes["b"]; !kept || len(s.Nodes) != 1 || len(s.Models) != 0 {
		t.Fatalf("the state has nodes %v and models %v", s.Nodes, s.Models)
	}
	home := c.homes["b"]
	c.addDevice("b", embedded.Options{Home: home})
	node := s.Nodes["b"]
	if node.SSH.Port != away {
		t.Errorf("the state has port %d, not %d", node.SSH.Port, away)
	}
	node.SSH = c.nodes["b"].SSH // it came back at another port
	c.recorder.state.Nodes["b"] = node
	if err := c.apply(plan.Destroy(c.state())); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"a", "b"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s is not clean: %q", node, left)
		}
	}
	if s := c.state(); len(s.Nodes) > 0 || len(s.Models) > 0 {
		t.Errorf("the state still has %v %v", s.Nodes, s.Models)
	}
}
