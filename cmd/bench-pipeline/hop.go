package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// hopSizes are the bytes of the tensors that messages are timed with.
var hopSizes = [2]int64{4 << 10, 400 << 10}

// tick is that of most kernels, CONFIG_HZ=250, in seconds.
const tick = 0.004

// limitedDevice is what a device with a share of a core is to the simulation.
func (b *bench) limitedDevice(ctx context.Context, device string, share, mbps float64) (simulation.Device, error) {
	key := [2]float64{share, mbps}
	if d, known := b.known[key]; known {
		return d, nil
	}
	var seconds [2]float64
	for i, size := range hopSizes {
		var err error
		if seconds[i], err = b.passSeconds(ctx, device, share, mbps, size); err != nil {
			return simulation.Device{}, fmt.Errorf("time messages of %d bytes: %w", size, err)
		}
	}
	// A stage receives one message and sends another.
	perByte := max(0, (seconds[1]-seconds[0])/float64(hopSizes[1]-hopSizes[0])/2)
	d := simulation.Device{ByteSeconds: perByte, MessageSeconds: max(0, seconds[0]/2-perByte*float64(hopSizes[0]))}
	if b.limits.root != "" {
		d.QuotaSeconds, d.PeriodSeconds, d.TickSeconds = share*period/1e6, period/1e6, tick
	}
	fmt.Fprintf(os.Stderr, "device with %.2f of a core: a message takes %.0f us, a byte %.2f ns\n", share, 1e6*d.MessageSeconds, 1e9*d.ByteSeconds)
	b.known[key] = d
	return d, nil
}

// passSeconds is what a worker's processor spends on a request whose stage does next to nothing.
func (b *bench) passSeconds(ctx context.Context, device string, share, mbps float64, size int64) (float64, error) {
	chain, err := b.passing(ctx, size)
	if err != nil {
		return 0, err
	}
	c := cluster{shares: []float64{share}, mbps: mbps, tight: true}
	x, err := b.start(chain, c, []string{device}, []solver.Placed{{LastSegment: len(chain.Segments) - 1}})
	if err != nil {
		return 0, err
	}
	defer x.stop()
	return b.spentPerRequest(ctx, x, chain.Inputs)
}

// passing is a model that gives back what it gets.
func (b *bench) passing(ctx context.Context, size int64) (*onnx.Chain, error) {
	g := modelbuilder.New("passing", 1)
	g.Output(g.Node("Relu", []string{g.Input("x", tensor.Float32, size/4)}))
	built, err := g.Model()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, fmt.Sprintf("passing-%d.onnx", size))
	if err := built.WriteFile(path); err != nil {
		return nil, err
	}
	return onnx.Load(ctx, path, onnx.Options{})
}

// spent is the processor time of a process, by the scheduler's own clock.
func spent(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("no threads of process %d: %w", pid, err)
	}
	var total int64
	for _, path := range tasks {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has ended
		}
		ns, err := strconv.ParseInt(string(bytes.Fields(content)[0]), 10, 64)
		if err != nil {
			return 0, err
		}
		total += ns
	}
	return time.Duration(total), nil
}
