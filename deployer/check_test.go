package deployer

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// A worker that was ready and ends while the new pipeline is asked fails the apply at
// once and by name: the gateway would only wait for it.
func TestWorkerEndsDuringTheCheck(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	for _, name := range []string{"a", "b"} {
		c.addDevice(name, embedded.Options{})
	}
	old, next := c.model("net", "1", 7433, "a", "b"), c.model("net", "2", 7434, "a", "b")
	c.mustApply(models{"net": old})
	c.options.probe = func(ctx context.Context, _ net.Conn, name string, m *statefile.Model) error {
		release := filepath.Join(c.deployment("b", name), "releases", m.Release)
		if err := os.WriteFile(filepath.Join(release, worker.LogFile), []byte("reason=\"signal: killed\"\n"), 0o600); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(release, "running")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	err := c.apply(c.plan(models{"net": next}))
	mentions(t, err, "b: the worker ended while its pipeline was checked", "memory", `reason="signal: killed"`,
		"release "+old.Release+" goes on serving")
	if strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("how the probe was ended is no news: %v", err)
	}
	if err := c.serves("net", old); err != nil {
		t.Error(err)
	}
}

// One that has ended and was started again before it is looked at for the first time is
// noticed as well: the process is that of nobody who was ready.
func TestWorkerStartedAgainDuringTheCheck(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	c.options.probe = func(ctx context.Context, _ net.Conn, name string, m *statefile.Model) error {
		running := filepath.Join(c.deployment("a", name), "releases", m.Release, "running")
		if err := os.WriteFile(running, []byte("1\n"), 0o600); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	mentions(t, err, "a: the worker ended while its pipeline was checked", "nothing of it runs")
}

// One that ends between being ready and being looked at fails the apply by its cause, too.
func TestWorkerEndsOnceReady(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	if err := os.WriteFile(filepath.Join(c.homes["a"], "end-once-ready"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.apply(c.plan(models{"net": c.model("net", "1", 7433, "a")}))
	mentions(t, err, "a: the worker ended as soon as it was ready", "memory", "nothing of it runs")
}
