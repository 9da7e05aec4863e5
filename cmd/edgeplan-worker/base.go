package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
	baseRequests = 400
	baseTimeout  = time.Minute
)

// measureBase runs this program as the worker of a folder that holds an engine and a
// slice, which it makes gateway and only stage of a pipeline of its own, and sends it
// some requests. It gives the worker's highest resident memory, the time from its start
// until it is ready, and the processors' time of a request.
func measureBase(ctx context.Context, dir string, request probe.BaseRequest) (b probe.Base, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, baseTimeout, fmt.Errorf("a worker with next to nothing to load was not done within %v", baseTimeout))
	defer cancel()
	if err := writeAlone(dir, request.Inputs, request.Outputs); err != nil {
		return b, err
	}
	program, err := os.Executable()
	if err != nil {
		return b, err
	}
	command := exec.CommandContext(ctx, program, "run", "-key", filepath.Join(dir, worker.KeyFile), dir)
	command.SysProcAttr = agent.EndsWithParent()
	begun := time.Now()
	if err := command.Start(); err != nil {
		return b, err
	}
	defer func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	}()
	if err := awaitReady(ctx, dir); err != nil {
		return b, err
	}
	b.LoadSeconds = time.Since(begun).Seconds()
	b.RequestSeconds, err = askAlone(ctx, dir, request.Inputs, command.Process.Pid)
	b.WorkerBytes = agent.PeakBytes(command.Process.Pid)
	return b, err
}

// awaitReady waits for a worker; one that ends instead does so within a moment.
func awaitReady(ctx context.Context, dir string) error {
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		status, err := worker.ReadStatus(dir)
		if err == nil && status.Ready {
			return nil
		}
		if ctx.Err() != nil || time.Since(begun) > baseTimeout {
			return fmt.Errorf("a worker with next to nothing to load did not get ready: %w", context.Cause(ctx))
		}
	}
}

// writeAlone writes the manifest of a pipeline of one worker.
func writeAlone(dir string, inputs, outputs []tensor.Info) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	listener.Close()
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

// askAlone sends requests of zeros, and gives what one costs the worker of processors. The
// first ones, which grow its heap, are not counted.
func askAlone(ctx context.Context, dir string, inputs []tensor.Info, pid int) (seconds float64, err error) {
	conn, err := net.Dial("unix", filepath.Join(dir, worker.SocketFile))
	if err != nil {
		return 0, err
	}
	client, err := worker.NewClient(conn)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	var zeros []tensor.Tensor
	for _, info := range inputs {
		zero, err := info.Zeros()
		if err != nil {
			return 0, err
		}
		zeros = append(zeros, zero)
	}
	used := 0.0
	for i := range baseRequests {
		if i == baseRequests/4 {
			used = agent.ProcessorSeconds(pid)
		}
		if _, err := client.Infer(ctx, baseModel, baseRelease, zeros); err != nil {
			return 0, err
		}
	}
	return (agent.ProcessorSeconds(pid) - used) / (baseRequests - baseRequests/4), nil
}
