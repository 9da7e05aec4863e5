package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/relay"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/worker"
)

const (
	modelName   = "bench"
	releaseName = "r1"

	benchQueue   = 2
	benchTimeout = 300 // seconds
)

// bed is a pipeline of worker processes; the gateway's is the last.
type bed struct {
	root      string
	dirs      []string
	processes []*exec.Cmd
	relays    []*relay.Relay
}

// start writes a release folder for every stage and the gateway, and runs the workers.
func (b *bench) start(chain *onnx.Chain, c cluster, devices []string, stages []solver.Placed) (*bed, error) {
	root, err := os.MkdirTemp(b.dir, "p")
	if err != nil {
		return nil, err
	}
	x := &bed{root: root}
	if err := b.startIn(x, chain, c, devices, stages); err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(err, x.stop()), x.logs())
	}
	return x, nil
}

func (b *bench) startIn(x *bed, chain *onnx.Chain, c cluster, devices []string, stages []solver.Placed) error {
	manifests, err := x.manifests(chain, c, stages)
	if err != nil {
		return err
	}
	peers := worker.Peers{}
	for i, m := range manifests {
		dir := filepath.Join(x.root, fmt.Sprint(i), "d", "releases", "r")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		x.dirs = append(x.dirs, dir)
		key, err := worker.EnsureKey(filepath.Join(x.root, fmt.Sprint(i), worker.KeyFile))
		if err != nil {
			return err
		}
		peers[m.Node] = worker.PublicKey(key)
	}
	for i, m := range manifests {
		if err := b.fill(x.dirs[i], chain, m, stages, peers); err != nil {
			return err
		}
		device := ""
		if m.Stage != nil {
			device = devices[stages[i].Node]
		}
		if err := x.run(b.limits, device, b.worker, x.dirs[i]); err != nil {
			return err
		}
	}
	for _, dir := range x.dirs {
		if err := ready(dir); err != nil {
			return err
		}
	}
	return nil
}

// manifests joins the stages by links of the cluster's rate.
func (x *bed) manifests(chain *onnx.Chain, c cluster, stages []solver.Placed) ([]worker.Manifest, error) {
	var listen []string
	var via []worker.Peer // how the one before reaches worker i
	for i := range len(stages) + 1 {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		r, err := relay.New(address, c.bytesPerSecond(), c.slack())
		if err != nil {
			return nil, err
		}
		x.relays = append(x.relays, r)
		listen = append(listen, address)
		via = append(via, worker.Peer{Node: fmt.Sprintf("node.w%d", i), Address: r.Address()})
	}
	n := len(stages)
	var all []worker.Manifest
	for i, s := range stages {
		all = append(all, worker.Manifest{Stage: &worker.Stage{
			Index: i, Count: n, Optimization: level, Threads: 1,
			Inputs: chain.Cuts[s.FirstSegment].Tensors, Outputs: chain.Cuts[s.LastSegment+1].Tensors,
			Previous: via[(i+n)%(n+1)], Next: via[i+1],
		}})
	}
	inputs, outputs := ends(chain, stages)
	all = append(all, worker.Manifest{Gateway: &worker.Gateway{
		Inputs: inputs, Outputs: outputs, First: via[0], Last: via[n-1], Stages: n, TimeoutSeconds: benchTimeout,
	}})
	for i := range all {
		m := &all[i]
		m.FormatVersion, m.Model, m.Release, m.Queue = worker.ManifestVersion, modelName, releaseName, benchQueue
		m.Node, m.Listen = via[i].Node, listen[i]
	}
	return all, nil
}

// ends are the tensors that enter and leave a pipeline, which may be a part of a model.
func ends(chain *onnx.Chain, stages []solver.Placed) (inputs, outputs []tensor.Info) {
	first, last := stages[0].FirstSegment, stages[len(stages)-1].LastSegment
	inputs, outputs = chain.Inputs, chain.Outputs
	if first > 0 {
		inputs = chain.Cuts[first].Tensors
	}
	if last < len(chain.Segments)-1 {
		outputs = chain.Cuts[last+1].Tensors
	}
	return inputs, outputs
}

// fill puts into a release folder what a worker needs.
func (b *bench) fill(dir string, chain *onnx.Chain, m worker.Manifest, stages []solver.Placed, peers worker.Peers) error {
	err := errors.Join(writeJSON(dir, worker.ManifestFile, m), writeJSON(dir, worker.PeersFile, peers))
	if err != nil || m.Stage == nil {
		return err
	}
	s := stages[m.Stage.Index]
	path, err := b.write(chain, s.FirstSegment, s.LastSegment)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name == filepath.Base(path) {
			name = worker.GraphFile
		}
		if err := os.Link(filepath.Join(filepath.Dir(path), e.Name()), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.Symlink(b.engine, filepath.Join(dir, worker.EngineFile))
}

func writeJSON(dir, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), data, 0o600)
}

// run starts a worker on a device; "" is one without limits.
func (x *bed) run(l limits, device, program, dir string) error {
	log, err := os.Create(filepath.Join(dir, worker.LogFile))
	if err != nil {
		return err
	}
	defer log.Close()
	command := l.command(device, program, "run", dir)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}
	x.processes = append(x.processes, command)
	return nil
}

func ready(dir string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s, err := worker.ReadStatus(dir); err == nil && s.Ready {
			return nil
		}
	}
	return fmt.Errorf("the worker in %s is not ready after a minute", dir)
}

func (x *bed) gateway() string { return x.dirs[len(x.dirs)-1] }

func (x *bed) gatewayBytes() (int64, error) {
	s, err := worker.ReadStatus(x.gateway())
	return s.ResidentBytes, err
}

// client talks to the gateway.
func (x *bed) client() (*worker.Client, error) {
	conn, err := net.Dial("unix", filepath.Join(x.gateway(), worker.SocketFile))
	if err != nil {
		return nil, err
	}
	client, err := worker.NewClient(conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		up, err := client.ModelReady(ctx, modelName, releaseName)
		switch {
		case err != nil:
			return nil, errors.Join(err, client.Close())
		case up:
			return client, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (x *bed) stop() error {
	for _, p := range x.processes {
		_ = p.Process.Signal(syscall.SIGTERM)
	}
	var errs []error
	for _, p := range x.processes {
		errs = append(errs, p.Wait())
	}
	for _, r := range x.relays {
		r.Close()
	}
	x.processes, x.relays = nil, nil
	return errors.Join(errs...)
}

// logs are the ends of the workers' logs.
func (x *bed) logs() string {
	var out strings.Builder
	for _, dir := range x.dirs {
		data, _ := os.ReadFile(filepath.Join(dir, worker.LogFile))
		fmt.Fprintf(&out, "%s:\n%s", dir, data[max(0, len(data)-2000):])
	}
	return out.String()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
