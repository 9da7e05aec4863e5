package deployer

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// repair is a plan that brings a deployed model to what it should be.
func (c *cluster) repair(m statefile.Model) *plan.Plan {
	p := c.plan(models{"net": m})
	p.Deployments = []plan.Deployment{{Model: "net", From: &m, To: &m, Switch: plan.StopFirst,
		Manifests: plan.Manifests("net", &m, p.Desired.Nodes)}}
	return p
}

// damage puts random bytes in the place of a program; they can be executed.
func damage(program string) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	content := make([]byte, info.Size())
	_, _ = rand.Read(content)
	return errors.Join(os.Remove(program), os.WriteFile(program, content, 0o700))
}

// started notes the nodes whose worker is started.
func (c *cluster) started() func() []string {
	var mu sync.Mutex
	var list []string
	for node, d := range c.devices {
		d.SetFault(func(op embedded.Operation) embedded.Action {
			if op.Kind == embedded.Exec && strings.Contains(op.Name, "'start'") {
				mu.Lock()
				defer mu.Unlock()
				list = append(list, node)
			}
			return embedded.Proceed
		})
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(list)
		return list
	}
}

// A repair leaves workers alone that run as they should.
func TestRepairRestartsWhatIsBroken(t *testing.T) {
	tests := map[string]struct {
		harm func(c *cluster, release string) error
		want []string
	}{
		"worker stopped": {func(c *cluster, release string) error {
			return os.Remove(filepath.Join(release, "running"))
		}, []string{"b"}},
		"file changed": {func(c *cluster, release string) error {
			return os.WriteFile(filepath.Join(release, worker.PeersFile), []byte("{}"), 0o600)
		}, []string{"b"}},
		"key of all neighbours changed": {func(c *cluster, release string) error {
			return os.Remove(filepath.Join(c.root("b"), worker.KeyFile))
		}, []string{"a", "b", "c"}},
		"key before": {func(_ *cluster, release string) error {
			return os.WriteFile(filepath.Join(release, "old-key"), nil, 0o600)
		}, []string{"b"}},
		"pipeline does not answer": {func(c *cluster, release string) error {
			asked := 0
			probe := c.options.probe
			c.options.probe = func(ctx context.Context, conn net.Conn, name string, m *statefile.Model) error {
				if asked++; asked == 1 {
					return errors.New("stuck")
				}
				return probe(ctx, conn, name, m)
			}
			return nil
		}, []string{"a", "b", "c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "a", "b", "c")
			m := c.model("net", "1", 7433, "a", "b", "c")
			c.mustApply(models{"net": m})
			if err := test.harm(c, filepath.Join(c.deployment("b", "net"), "releases", m.Release)); err != nil {
				t.Fatal(err)
			}
			started := c.started()
			if err := c.apply(c.repair(m)); err != nil {
				t.Fatal(err)
			}
			if err := c.serves("net", m); err != nil {
				t.Error(err)
			}
			if got := started(); !slices.Equal(got, test.want) {
				t.Errorf("started on %q, want %q", got, test.want)
			}
		})
	}
}

// A repair that fails says what is true, and takes nothing else down.
func TestRepairThatFails(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	m := c.model("net", "1", 7433, "a", "b", "c")
	c.mustApply(models{"net": m})
	if err := os.RemoveAll(filepath.Join(c.deployment("b", "net"), "releases", m.Release)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.homes["b"], "refuse-start"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.apply(c.repair(m))
	if err == nil || !strings.Contains(err.Error(), "release "+m.Release+" could not be repaired; its worker does not run on b: ") ||
		strings.Contains(err.Error(), "goes on serving") {
		t.Errorf("error %v", err)
	}
	for _, node := range []string{"a", "c"} {
		if !c.running(node, "net", m.Release) {
			t.Errorf("the worker on %s was taken down", node)
		}
	}
	if err := os.Remove(filepath.Join(c.homes["b"], "refuse-start")); err != nil {
		t.Fatal(err)
	}
	if err := c.apply(c.repair(m)); err != nil {
		t.Fatal(err)
	}
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
}

// A worker whose program is damaged is stopped by another.
func TestDamagedProgramDoesNotBlock(t *testing.T) {
	c := newCluster(t, "a", "b")
	old := c.model("net", "1", 7433, "a", "b")
	c.mustApply(models{"net": old})
	harm := func(release string) {
		if err := damage(filepath.Join(c.deployment("b", "net"), "releases", release, worker.ProgramFile)); err != nil {
			t.Fatal(err)
		}
	}
	harm(old.Release)
	next := c.model("net", "2", 7434, "a", "b")
	c.mustApply(models{"net": next})
	if err := c.serves("net", next); err != nil {
		t.Error(err)
	}
	harm(next.Release)
	c.mustApply(models{})
	if left := c.tree("b"); len(left) > 0 {
		t.Errorf("b is not clean: %q", left)
	}
}

// The program blob itself is brought anew when it is damaged: it is what makes
// keys, before anything is built of it.
func TestDamagedProgramBlob(t *testing.T) {
	c := newCluster(t, "a")
	m := c.model("net", "1", 7433, "a")
	c.mustApply(models{"net": m})
	program, _ := plan.WorkerProgram(&m, "a")
	for _, file := range []string{filepath.Join(c.root("a"), "blobs", "sha256", program.Digest),
		filepath.Join(c.deployment("a", "net"), "releases", m.Release, worker.ProgramFile)} {
		content := make([]byte, program.Size)
		if err := errors.Join(os.Remove(file), os.WriteFile(file, content, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.apply(c.repair(m)); err != nil {
		t.Fatal(err)
	}
	if err := c.serves("net", m); err != nil {
		t.Error(err)
	}
}
