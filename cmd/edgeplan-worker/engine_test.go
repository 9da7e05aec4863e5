package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/enginetest"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/porttest"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

// The two slices of h = relu(linear(x)), y = linear(h) + x: x is used by both,
// so it passes through the first.
func slices(t *testing.T) [2]string {
	t.Helper()
	dir := t.TempDir()
	var paths [2]string
	build := func(i int, fill func(b *modelbuilder.Builder) string) {
		b := modelbuilder.New(fmt.Sprint("slice", i), uint64(i))
		b.Input("x", tensor.Float32, 1, 16)
		b.Output(fill(b))
		model, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = filepath.Join(dir, fmt.Sprint(i, ".onnx"))
		if err := model.WriteFile(paths[i]); err != nil {
			t.Fatal(err)
		}
	}
	build(0, func(b *modelbuilder.Builder) string {
		return b.Rename(b.Node("Relu", []string{b.Linear("x", 16)}), "h")
	})
	build(1, func(b *modelbuilder.Builder) string {
		b.Input("h", tensor.Float32, 1, 16)
		return b.Rename(b.Node("Add", []string{b.Linear("h", 16), "x"}), "y")
	})
	return paths
}

func vector(name string) tensor.Info {
	return tensor.Info{Name: name, Type: tensor.Float32, Shape: []int64{1, 16}}
}

// expected runs the slices one after another, without workers.
func expected(t *testing.T, paths [2]string, x tensor.Tensor) []byte {
	t.Helper()
	engine, err := ort.Open(enginetest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	run := func(path, output string, inputs ...tensor.Tensor) tensor.Tensor {
		session, err := engine.NewSession(path, ort.SessionOptions{Level: ort.Disabled, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		out, err := session.Run(inputs, []string{output})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	return run(paths[1], "y", x, run(paths[0], "h", x)).Data
}

// twoStages writes the releases of two workers, the first of which is the gateway.
func twoStages(t *testing.T, paths [2]string) [2]string {
	t.Helper()
	x, h, y := vector("x"), vector("h"), vector("y")
	at := [2]worker.Peer{{Node: "node.a", Address: porttest.Address(t)}, {Node: "node.b", Address: porttest.Address(t)}}
	base := func(i int, inputs, outputs []tensor.Info) worker.Manifest {
		return worker.Manifest{
			FormatVersion: worker.ManifestVersion, Model: "toy", Release: "r1", Node: at[i].Node, Listen: at[i].Address, Queue: 2,
			Stage: &worker.Stage{Index: i, Count: 2, Optimization: "disabled", Threads: 1, Inputs: inputs, Outputs: outputs, Previous: at[1-i], Next: at[1-i]},
		}
	}
	first := base(0, []tensor.Info{x}, []tensor.Info{x, h})
	first.Stage.Previous = at[0]
	first.Gateway = &worker.Gateway{Inputs: []tensor.Info{x}, Outputs: []tensor.Info{y}, First: at[0], Last: at[1], TimeoutSeconds: 10}
	dirs := [2]string{release(t, first, nil), release(t, base(1, []tensor.Info{x, h}, []tensor.Info{y}), nil)}
	peers := worker.Peers{}
	for i, dir := range dirs {
		link(t, paths[i], filepath.Join(dir, worker.GraphFile))
		link(t, enginetest.Library(t), filepath.Join(dir, worker.EngineFile))
		out, errOut, err := program(t, "key", filepath.Join(dir, "..", "..", "..", worker.KeyFile))
		if err != nil {
			t.Fatal(err, errOut)
		}
		peers[at[i].Node] = strings.TrimSpace(out)
	}
	for _, dir := range dirs {
		write(t, dir, worker.PeersFile, peers)
	}
	return dirs
}

func link(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Two worker processes with ONNX Runtime, reached as an operator reaches them,
// give the bytes that the slices give without workers.
func TestPipelineOfProcesses(t *testing.T) {
	t.Parallel()
	paths := slices(t)
	dirs := twoStages(t, paths)
	pids := startAll(t, dirs)
	client, _ := overProxy(t, dirs[0])
	defer client.Close()
	x := tensor.Tensor{Info: vector("x"), Data: randomBytes(64)}
	want := expected(t, paths, x)
	infer := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		out, err := client.Infer(ctx, "toy", "r1", []tensor.Tensor{x})
		if err == nil && !bytes.Equal(out[0].Data, want) {
			return fmt.Errorf("got %v, want %v", out[0].Data, want)
		}
		return err
	}
	var group errgroup.Group
	for range 16 {
		group.Go(infer)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	alone, _ := overProxy(t, dirs[1])
	defer alone.Close()
	h, err := client.Infer(context.Background(), "toy/stage/0", "", []tensor.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	if y, err := alone.Infer(context.Background(), "toy/stage/1", "", h); err != nil || !bytes.Equal(y[0].Data, want) {
		t.Errorf("stage by stage: %v, %v", y, err)
	}

	// The second process dies, and comes back.
	if err := syscall.Kill(pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Start(context.Background(), dirs[1], worker.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := infer(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	for _, dir := range dirs {
		if err := worker.Stop(context.Background(), dir); err != nil {
			t.Error(err)
		}
	}
}

func startAll(t *testing.T, dirs [2]string) (pids [2]int) {
	t.Helper()
	for i, dir := range dirs {
		status, err := worker.Start(context.Background(), dir, worker.StartOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, status.Log)
		}
		t.Logf("worker %d takes %d KiB", i, status.ResidentBytes/1024)
		pids[i] = status.PID
	}
	return pids
}

func randomBytes(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.IntN(63)) // no exponents of NaN or infinity
	}
	return out
}

func TestMissingEngineIsNamed(t *testing.T) {
	t.Parallel()
	dirs := twoStages(t, slices(t))
	if err := os.Remove(filepath.Join(dirs[0], worker.EngineFile)); err != nil {
		t.Fatal(err)
	}
	status, err := worker.Start(context.Background(), dirs[0], worker.StartOptions{})
	if err == nil || !strings.Contains(status.Log, worker.EngineFile+": no such file") {
		t.Errorf("got %v, %s", err, status.Log)
	}
}
