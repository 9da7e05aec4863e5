package deployer

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// keeping is a plan as plan.Build makes it: with the release before as an earlier
// one, keep-1 of them in all.
func (c *cluster) keeping(name string, m statefile.Model, keep int) *plan.Plan {
	p := c.plan(models{name: m})
	p.Desired.Earlier = nil
	list := slices.Clone(p.Prior.Earlier[name])
	if from, ok := p.Prior.Models[name]; ok && from.Release != m.Release {
		list = slices.DeleteFunc(list, func(e statefile.Model) bool { return e.Release == m.Release })
		list = slices.Insert(list, 0, from)
		list = list[:min(len(list), keep-1)]
	}
	setEarlier(p.Desired, name, list)
	for i := range list {
		for _, node := range plan.ReleaseNodes(&list[i]) {
			p.Desired.Nodes[node] = withKey(c.nodes[node], p.Prior.Nodes[node].PublicKey)
		}
	}
	return p
}

func (c *cluster) rollback(name string, how plan.Switch) error {
	p, _, err := plan.Rollback(plan.Input{Prior: c.state()}, name)
	if err != nil {
		return err
	}
	p.Deployments[0].Switch = how
	return c.apply(p)
}

// releases are the folders of releases on a node.
func (c *cluster) releases(node string) []string {
	found, err := filepath.Glob(filepath.Join(c.deployment(node, "net"), "releases", "*"))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// A rollback brings the release before, also to a device that the deployed one has
// left; a second one undoes it. Releases beyond keep_releases are collected, with
// their blobs and where a device has nothing else, the device.
func TestRollback(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	one, two, three := c.model("net", "1", 7433, "a", "b"), c.model("net", "2", 7434, "a", "c"), c.model("net", "3", 7435, "a", "c")
	for _, m := range []statefile.Model{one, two} {
		if err := c.apply(c.keeping("net", m, 2)); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []statefile.Model{one, two, one} {
		if err := c.rollback("net", plan.Beside); err != nil {
			t.Fatal(err)
		}
		if err := c.serves("net", m); err != nil {
			t.Error(err)
		}
	}
	if err := c.apply(c.keeping("net", two, 2)); err != nil {
		t.Fatal(err)
	}
	if err := c.apply(c.keeping("net", three, 2)); err != nil {
		t.Fatal(err)
	}
	if got := c.releases("a"); len(got) != 2 || slices.Contains(got, one.Release) {
		t.Errorf("a keeps %v", got)
	}
	if left := c.tree("b"); len(left) > 0 {
		t.Errorf("b has nothing of the two kept releases, and is not clean: %q", left)
	}
	if _, known := c.state().Nodes["b"]; known {
		t.Error("the state still has b")
	}
	for _, blob := range plan.NodeBlobs(&one, "a") {
		used := slices.ContainsFunc(append(plan.NodeBlobs(&two, "a"), plan.NodeBlobs(&three, "a")...),
			func(b statefile.Blob) bool { return b.Digest == blob.Digest })
		if there := strings.Contains(strings.Join(c.tree("a"), "\n"), "sha256/"+blob.Digest); there != used {
			t.Errorf("blob %s: there %v, used %v", blob.Name, there, used)
		}
	}
}

// Every operation of a rollback, with its collection of what is not kept, may
// fail: what the state says runs, and the same once more goes through.
func TestEveryOperationOfARollbackMayFail(t *testing.T) {
	for _, way := range []struct {
		node   string
		way    embedded.Action
		how    plan.Switch
		stride int
	}{
		{"a", embedded.Fail, plan.Beside, 31},
		{"b", embedded.DropAfter, plan.StopFirst, 43},
	} {
		t.Run(fmt.Sprintf("%s %d %s", way.node, way.way, way.how), func(t *testing.T) {
			t.Parallel()
			if *everyFault {
				way.stride = 1
			}
			c := bareCluster(t)
			for _, name := range []string{"a", "b", "c"} {
				c.addDevice(name, embedded.Options{})
			}
			l := faultLoop{cluster: c, node: way.node, way: way.way, how: way.how}
			old, next := c.model("net", "1", 7433, "a", "b", "c"), c.model("net", "2", 7434, "a", "b", "c")
			for _, m := range []statefile.Model{next, old} {
				if err := c.apply(c.keeping("net", m, 2)); err != nil {
					t.Fatal(err)
				}
			}
			for n := 1; ; n += way.stride {
				met := l.fault(n)
				failed := c.rollback("net", way.how)
				c.devices[l.node].SetFault(nil)
				if err := l.trueState(old, next); err != nil {
					t.Fatalf("operation %d, %s: %v\nthe rollback said: %v", n, met(), err, failed)
				}
				if c.state().Models["net"].Release == old.Release {
					if err := c.rollback("net", way.how); err != nil {
						t.Fatalf("operation %d, %s: once more: %v", n, met(), err)
					}
				}
				if err := l.repaired(next); err != nil {
					t.Fatalf("operation %d, %s: %v\nthe rollback said: %v", n, met(), err, failed)
				}
				old, next = next, old
				if met() == "" {
					t.Logf("%d operations", n-1)
					return
				}
			}
		})
	}
}

// repaired applies what a refresh finds, and holds the devices to the release.
func (l *faultLoop) repaired(m statefile.Model) error {
	seen, err := Refresh(context.Background(), l.state(), nil, l.options)
	if err != nil {
		return err
	}
	if len(seen.Drift) > 0 {
		p := l.keeping("net", m, 2)
		p.Deployments = []plan.Deployment{{Model: "net", From: &m, To: &m, Switch: plan.StopFirst, Manifests: plan.Manifests("net", &m, l.nodes)}}
		if err := l.apply(p); err != nil {
			return err
		}
	}
	if err := l.serves("net", m); err != nil {
		return err
	}
	if kept := l.releases("a"); len(kept) != 2 {
		return fmt.Errorf("a has the releases %v", kept)
	}
	return nil
}

// Another state's releases and blobs stay when one's own are collected, whatever
// the other keeps for its own rollback.
func TestCollectionLeavesTheOtherState(t *testing.T) {
	c := newCluster(t, "a")
	other := c.second()
	for i, version := range []string{"1", "2"} {
		if err := other.apply(other.keeping("net", other.model("net", version, 7500+i, "a"), 2)); err != nil {
			t.Fatal(err)
		}
	}
	for i, version := range []string{"1", "2", "3"} { // the same blobs
		if err := c.apply(c.keeping("net", c.model("net", version, 7433+i, "a"), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.releases("a"); len(got) != 1 {
		t.Errorf("kept: %v", got)
	}
	c.mustApply(models{})
	if err := other.rollback("net", plan.Beside); err != nil {
		t.Error(err)
	}
}

// A disk that fills up on the way: the old release goes on serving, and the next
// apply goes through when there is space.
func TestDiskFullOnTheWay(t *testing.T) {
	c := newCluster(t, "a", "b")
	old := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": old})
	m := c.model("net", "2", 7434, "a", "b")
	once(c, "b", func(op embedded.Operation) bool { return strings.Contains(op.Name, "take the lease") }, func() { c.devices["b"].SetFreeBytes(10) })
	err := c.apply(c.plan(models{"net": m}))
	if err == nil || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), "the disk is too full") {
		t.Errorf("error %v", err)
	}
	if err := c.serves("net", old); err != nil {
		t.Error(err)
	}
	c.devices["b"].SetFault(nil)
	c.devices["b"].SetFreeBytes(-1)
	c.mustApply(models{"net": m})
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
}

// A device that was off comes back into the release that the state has for it.
func TestDeviceThatWasOffComesBack(t *testing.T) {
	c := newCluster(t, "a", "b")
	m := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": m})
	off := func(on bool) {
		action := embedded.Drop
		if on {
			action = embedded.Proceed
		}
		c.devices["b"].SetFault(func(embedded.Operation) embedded.Action { return action })
	}
	next := c.model("net", "2", 7434, "a", "b")
	once(c, "b", func(op embedded.Operation) bool { return strings.Contains(op.Name, "'start'") }, func() { off(false) })
	if err := c.apply(c.plan(models{"net": next})); err == nil {
		t.Fatal("applied")
	}
	if got := c.state().Models["net"].Release; got != m.Release {
		t.Errorf("the state has %s", got)
	}
	off(true)
	l := faultLoop{cluster: c}
	p := c.plan(models{"net": m})
	seen, err := Refresh(context.Background(), p.Prior, nil, l.options)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Drift) > 0 {
		p.Deployments = []plan.Deployment{{Model: "net", From: &m, To: &m, Switch: plan.StopFirst, Manifests: plan.Manifests("net", &m, c.nodes)}}
		if err := c.apply(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
}
