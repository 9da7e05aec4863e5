package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/internal/relay"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

// The more slowly bytes come the more often they wake a processor, so they come at the rate of
// a common link: 100 Mbit/s.
const (
	hopRate        = 100e6 / 8 // bytes per second
	hopSlack       = 5 * time.Millisecond
	hopConcurrency = 4
	hopWarmUp      = 200 * time.Millisecond
	hopFull        = 16 // requests that fill all queues, and what is under way beside them
	hopFilling     = 10 // requests that a stage computes meanwhile, at most
	hopNode        = "node.gateway"
)

// hop is a pipeline of one stage on this device, with a gateway of its own.
type hop struct {
	dir, gateway string // folders
	to, back     *relay.Relay
}

// hopTimeout is how long the workers have to be ready, and then to answer.
const hopTimeout = 2 * time.Minute

// measureHop runs this program as the worker of a folder that holds an engine and a slice, and
// once more as the gateway that sends it requests over links, and gives what the stage takes.
func measureHop(ctx context.Context, dir string, stage probe.Stage, d time.Duration) (agent.HopResult, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, hopTimeout+d, fmt.Errorf("it was not done within %v", hopTimeout+d))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	h, err := newHop(dir, stage)
	if err != nil {
		return agent.HopResult{}, err
	}
	defer h.close()
	gateway, err := start(ctx, h.gateway)
	if err != nil {
		return agent.HopResult{}, err
	}
	defer gateway.end()
	process, err := start(ctx, dir)
	if err != nil {
		return agent.HopResult{}, err
	}
	defer process.end()
	if stage.MemoryBytes > 0 {
		go agent.Guard(ctx, stage.MemoryBytes, stop, process.pid, gateway.pid)
	}
	for _, s := range []*started{process, gateway} {
		if err := s.awaitReady(ctx); err != nil {
			return agent.HopResult{}, err
		}
	}
	result, err := h.drive(ctx, process.pid, stage, d)
	return result, cmp.Or(context.Cause(ctx), err) // what ended them is why it failed
}

// newHop writes both folders and opens the links between.
func newHop(dir string, stage probe.Stage) (*hop, error) {
	h := &hop{dir: dir, gateway: filepath.Join(dir, "g")}
	atStage, err := unusedAddress()
	if err != nil {
		return nil, err
	}
	atGateway := atStage
	for atGateway == atStage {
		if atGateway, err = unusedAddress(); err != nil {
			return nil, err
		}
	}
	if h.to, err = relay.New(atStage, hopRate, hopSlack); err != nil {
		return nil, err
	}
	if h.back, err = relay.New(atGateway, hopRate, hopSlack); err != nil {
		h.to.Close()
		return nil, err
	}
	if err := h.write(stage, atStage, atGateway); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *hop) close() {
	h.to.Close()
	h.back.Close()
}

func (h *hop) write(stage probe.Stage, atStage, atGateway string) error {
	if err := os.Mkdir(h.gateway, 0o700); err != nil {
		return err
	}
	peers := worker.Peers{}
	for node, dir := range map[string]string{baseNode: h.dir, hopNode: h.gateway} {
		key, err := worker.EnsureKey(filepath.Join(dir, worker.KeyFile))
		if err != nil {
			return err
		}
		peers[node] = worker.PublicKey(key)
	}
	first, gateway := worker.Peer{Node: baseNode, Address: h.to.Address()}, worker.Peer{Node: hopNode, Address: h.back.Address()}
	m := worker.Manifest{FormatVersion: worker.ManifestVersion, Model: baseModel, Release: baseRelease, Queue: 2}
	of := func(node, listen string) worker.Manifest {
		m := m
		m.Node, m.Listen = node, listen
		return m
	}
	atStageManifest, atGatewayManifest := of(baseNode, atStage), of(hopNode, atGateway)
	atStageManifest.Stage = &worker.Stage{Count: 1, Optimization: stage.Optimization, Threads: stage.Threads,
		Inputs: stage.Inputs, Outputs: stage.Outputs, Previous: gateway, Next: gateway}
	atGatewayManifest.Gateway = &worker.Gateway{Inputs: stage.Inputs, Outputs: stage.Outputs, First: first, Last: first, Stages: 1, TimeoutSeconds: baseTimeout.Seconds()}
	return errors.Join(writeJSONFiles(h.dir, map[string]any{worker.PeersFile: peers, worker.ManifestFile: atStageManifest}),
		writeJSONFiles(h.gateway, map[string]any{worker.PeersFile: peers, worker.ManifestFile: atGatewayManifest}))
}

// drive sends requests and sees what they take the stage's process. The first ones, which make
// connections and grow its heap, are not counted.
func (h *hop) drive(ctx context.Context, pid int, stage probe.Stage, d time.Duration) (result agent.HopResult, err error) {
	client, err := clientOf(h.gateway)
	if err != nil {
		return result, err
	}
	defer client.Close()
	var zeros []tensor.Tensor
	for _, info := range stage.Inputs {
		zero, err := info.Zeros()
		if err != nil {
			return result, err
		}
		zeros = append(zeros, zero)
	}
	infer := func(ctx context.Context) error {
		_, err := client.Infer(ctx, baseModel, baseRelease, zeros)
		return err
	}
	if err := infer(ctx); err != nil { // waits until the two have found each other
		return result, err
	}
	warm := load.Run(ctx, load.Options{Duration: hopWarmUp, Concurrency: hopConcurrency}, infer)
	used := agent.ProcessorSeconds(pid)
	r := load.Run(ctx, load.Options{Duration: d, Concurrency: hopConcurrency}, infer)
	used = max(0, agent.ProcessorSeconds(pid)-used) // threads that have ended count no more
	if err := errors.Join(warm.FirstError, r.FirstError); err != nil {
		return result, fmt.Errorf("of %d requests, %d failed; the first: %w", r.Answered+r.Failed, r.Failed, err)
	}
	if r.Answered == 0 {
		return result, errors.New("no request was answered")
	}
	h.fill(ctx, r.Throughput(), tensor.TotalBytes(stage.Outputs), infer)
	return agent.HopResult{CPUSeconds: used / float64(r.Answered), PeakBytes: agent.PeakBytes(pid)}, nil
}

// fill makes the link behind the stage slower than the stage, until all its queues are full: it
// holds the most then.
func (h *hop) fill(ctx context.Context, perSecond float64, outputBytes int64, infer func(context.Context) error) {
	h.back.SetRate(max(1, perSecond*float64(outputBytes)/2))
	d := time.Duration(hopFilling / perSecond * float64(time.Second))
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	load.Run(ctx, load.Options{Duration: d, Concurrency: hopFull}, infer) // what is cut off tells nothing
}
