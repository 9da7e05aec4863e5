package deployer

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

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
	if err != nil || len(drift) != 1 || drift[0] != (plan.Drift{Model: "net", Node: "b", Problem: "the worker is not running"}) {
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

func buildWorker(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "edgeplan-worker")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/edgeplan/edgeplan/cmd/edgeplan-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return read(t, file)
}

func read(t *testing.T, file string) []byte {
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
	s, err := siteOf(context.Background(), d, d.node.Path)
	if err != nil {
		t.Fatal(err)
	}
	deployment := DeploymentName("net", testLineage)
	status, err := s.status(context.Background(), deployment, m.Release)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(context.Background(), deployment, m.Release); err != nil {
		t.Fatal(err)
	}
	return status.Running
}
