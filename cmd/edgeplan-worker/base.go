package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

const (
	baseModel    = "probe"
	baseRelease  = "probe"
	baseNode     = "node.probe"
	baseRequests = 200
	baseTimeout  = time.Minute
)

// measureBase runs this program as the worker of a folder that holds an engine and a
// slice, which it makes gateway and only stage of a pipeline of its own, and sends it
// some requests. It gives the worker's highest resident memory, and the time from its
// start until it is ready.
func measureBase(ctx context.Context, dir string, model probe.Passing) (bytes int64, loadSeconds float64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, baseTimeout, fmt.Errorf("a worker with next to nothing to load was not done within %v", baseTimeout))
	defer cancel()
	if err := writeAlone(dir, model); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	process, err := start(ctx, dir)
	if err != nil {
		return 0, 0, err
	}
	defer process.end()
	if err := process.awaitReady(ctx); err != nil {
		return 0, 0, err
	}
	loadSeconds = time.Since(begun).Seconds()
	if err := askAlone(ctx, dir, model.Input); err != nil {
		return 0, 0, err
	}
	return agent.PeakBytes(process.pid), loadSeconds, nil
}

// writeAlone writes the manifest of a pipeline of one worker.
func writeAlone(dir string, model probe.Passing) error {
	inputs, outputs := []tensor.Info{model.Input}, []tensor.Info{model.Output}
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	if _, err := worker.EnsureKey(filepath.Join(dir, worker.KeyFile)); err != nil {
		return err
	}
	self := worker.Peer{Node: baseNode, Address: address}
	return writeJSONFiles(dir, map[string]any{
		worker.PeersFile: worker.Peers{},
		worker.ManifestFile: worker.Manifest{FormatVersion: worker.ManifestVersion, Model: baseModel, Release: baseRelease, Node: baseNode, Listen: address, Queue: 2,
			Stage:   &worker.Stage{Count: 1, Optimization: "disabled", Threads: 1, Inputs: inputs, Outputs: outputs, Previous: self, Next: self},
			Gateway: &worker.Gateway{Inputs: inputs, Outputs: outputs, First: self, Last: self, Stages: 1, TimeoutSeconds: 10}},
	})
}

// unusedAddress is a loopback address that nobody listens at, below the ports that Linux gives out
// by itself (ip(7), ip_local_port_range): it is nobody else's by the time a worker listens there.
func unusedAddress() (address string, err error) {
	for range 100 {
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))); err == nil {
			return listener.Addr().String(), listener.Close()
		}
	}
	return "", err
}

func writeJSONFiles(dir string, files map[string]any) error {
	for name, value := range files {
		content, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// askAlone sends requests of zeros.
func askAlone(ctx context.Context, dir string, input tensor.Info) error {
	client, err := clientOf(dir)
	if err != nil {
		return err
	}
	defer client.Close()
	zeros, err := input.Zeros()
	if err != nil {
		return err
	}
	for range baseRequests {
		if _, err := client.Infer(ctx, baseModel, baseRelease, []tensor.Tensor{zeros}); err != nil {
			return err
		}
	}
	return nil
}

// clientOf talks to the worker of a folder.
func clientOf(dir string) (*worker.Client, error) {
	conn, err := net.Dial("unix", filepath.Join(dir, worker.SocketFile))
	if err != nil {
		return nil, err
	}
	return worker.NewClient(conn)
}
