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
	"sync"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// The real worker with the real engine, over real sshd: deployed, asked through
// the gateway, found again after its process was killed, replaced and removed.
func TestRealWorkers(t *testing.T) {
	library := enginetest.Library(t)
	program := buildWorker(t)
	c := emptyCluster(t)
	c.options.probe = nil // the real one
	for _, node := range []string{"a", "b"} {
		c.addSSHD(node, sshdtest.Options{}, ".edgeplan")
	}
	t.Cleanup(func() { c.stopAll() })
	first := c.realModel(t, program, library, "extended")
	c.mustApply(models{"net": first})
	c.infer(t, first)

	status := c.stopByHand(t, "b", first)
	if !status {
		t.Fatal("the worker on b did not run")
	}
	seen, err := Refresh(context.Background(), c.state(), nil, c.options)
	drift := seen.Drift
	if err != nil || len(drift) != 1 || drift[0] != (plan.Drift{Model: "net", Node: "b", Problem: "the worker is not running", Restart: true}) {
		t.Fatalf("drift %+v, error %v", drift, err)
	}
	second := c.realModel(t, program, library, "basic")
	c.mustApply(models{"net": second})
	c.infer(t, second)
	c.mustApply(models{})
	for _, node := range []string{"a", "b"} {
		if left := c.tree(node); len(left) > 0 {
			t.Errorf("%s is not clean: %q", node, left)
		}
	}
}

// stopAll ends what a failed test has left running.
func (c *cluster) stopAll() {
	for _, home := range c.homes {
		programs, _ := filepath.Glob(filepath.Join(home, ".edgeplan", "*", "releases", "*", worker.ProgramFile))
		for _, program := range programs {
			_ = exec.Command(program, "stop", filepath.Dir(program)).Run()
		}
	}
}

// buildWorker gives the real program, built once for all tests.
func buildWorker(t testing.TB) []byte {
	t.Helper()
	program, err := builtWorker()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var builtWorker = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "edgeplan-worker-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, worker.ProgramFile)
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/edgeplan/edgeplan/cmd/edgeplan-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(file)
})

func read(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// realModel has its gateway on a and its only stage on b, at free ports.
func (c *cluster) realModel(t *testing.T, program []byte, library, optimization string) statefile.Model {
	t.Helper()
	built, err := modelbuilder.Dense(1)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := built.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	output := built.Proto().Graph.Output[0].GetName()
	m := statefile.Model{Optimization: optimization, Queue: 2, Gateway: "a", GatewayPort: unusedPort(t), TimeoutSeconds: 10,
		Inputs:  []tensor.Info{{Name: "image", Type: tensor.Float32, Shape: []int64{1, 3, 16, 16}}},
		Outputs: []tensor.Info{{Name: output, Type: tensor.Float32, Shape: []int64{1, 33, 1, 1}}}}
	worker1 := c.blobs.add(worker.ProgramFile, program)
	engine := c.blobs.add(worker.EngineFile, read(t, library))
	m.Programs = map[string][]statefile.Blob{"a": {worker1}, "b": {worker1, engine}}
	m.Slices = []statefile.Slice{{Node: "b", Port: unusedPort(t), Inputs: m.Inputs, Outputs: m.Outputs,
		Graph: c.blobs.add(worker.GraphFile, graph)}}
	m.Release = plan.ReleaseID("net", &m, c.nodes)
	return m
}

func unusedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// infer asks the deployed pipeline, as a person would.
func (c *cluster) infer(t *testing.T, m statefile.Model) {
	t.Helper()
	conn, err := DialWorker(context.Background(), c.state(), "net", "a", c.options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := inferZeros(context.Background(), conn, "net", &m); err != nil {
		t.Fatal(err)
	}
}

// stopByHand stops a worker behind edgeplan's back and says whether it ran.
func (c *cluster) stopByHand(t *testing.T, node string, m statefile.Model) bool {
	t.Helper()
	d := newDevice(node, c.nodes[node], c.options.withDefaults())
	defer d.close()
	s, err := siteOf(context.Background(), d, d.node.Path, testLineage)
	if err != nil {
		t.Fatal(err)
	}
	deployment := DeploymentName("net", testLineage)
	status, err := s.status(context.Background(), deployment, m.Release, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(context.Background(), deployment, m.Release); err != nil {
		t.Fatal(err)
	}
	return status.Running
}

// What was done to a device behind edgeplan's back neither keeps a real worker
// running nor blocks a repair or destroying it.
func TestRealWorkersOnDamagedDevices(t *testing.T) {
	library := enginetest.Library(t)
	program := buildWorker(t)
	harms := map[string]func(c *cluster, m statefile.Model) error{
		"program and blob damaged": func(c *cluster, m statefile.Model) error {
			blob, _ := plan.WorkerProgram(&m, "b")
			return errors.Join(damage(filepath.Join(c.root("b"), "blobs", "sha256", blob.Digest)),
				damage(filepath.Join(c.deployment("b", "net"), "releases", m.Release, worker.ProgramFile)))
		},
		"release folder deleted": func(c *cluster, m statefile.Model) error {
			return os.RemoveAll(filepath.Join(c.deployment("b", "net"), "releases", m.Release))
		},
		"everything deleted": func(c *cluster, m statefile.Model) error { return os.RemoveAll(c.root("b")) },
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			c := emptyCluster(t)
			c.options.probe = nil // the real one
			for _, node := range []string{"a", "b"} {
				c.addDevice(node, embedded.Options{})
			}
			t.Cleanup(func() { c.stopAll() })
			m := c.realModel(t, program, library, "basic")
			c.mustApply(models{"net": m})
			first, gateway := c.workerOn(t, "b", m), c.workerOn(t, "a", m)
			if err := harm(c, m); err != nil {
				t.Fatal(err)
			}
			if err := c.apply(c.repair(m)); err != nil {
				t.Fatal(err)
			}
			c.infer(t, m)
			second := c.workerOn(t, "b", m)
			if works(first) || !works(second) {
				t.Errorf("the first worker runs: %v, the second: %v", works(first), works(second))
			}
			if name != "everything deleted" && c.workerOn(t, "a", m) != gateway { // that takes the key along
				t.Error("the gateway was restarted")
			}
			if err := harm(c, m); err != nil {
				t.Fatal(err)
			}
			c.mustApply(models{})
			if left := c.tree("b"); len(left) > 0 || works(second) {
				t.Errorf("b is not clean: %q, the worker runs: %v", left, works(second))
			}
		})
	}
}

// workerOn is the process id of a node's worker.
func (c *cluster) workerOn(t *testing.T, node string, m statefile.Model) int {
	t.Helper()
	status, err := worker.ReadStatus(filepath.Join(c.deployment(node, "net"), "releases", m.Release))
	if err != nil || !status.Running {
		t.Fatalf("%s: %+v, error %v", node, status, err)
	}
	return status.PID
}

// works says whether a process is a worker that has not ended.
func works(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), worker.ProgramFile)
}
