package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/edgeplan/edgeplan/internal/load"
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

// engineTimes are what the engines of a placement take of a processor: what the worker of each
// stage spends on a request, less its messages, and how much that varies. Every worker gets its requests from a gateway
// of its own, over links of the cluster's rate, and all of them at once, so that each
// runs as in the pipeline: woken by messages, held to its share, with the others beside it.
func (b *bench) engineTimes(ctx context.Context, chain *onnx.Chain, c cluster, devices []string, stages []solver.Placed, known []simulation.Device) ([]simulation.Stage, error) {
	var beds []*bed
	defer func() {
		for _, x := range beds {
			x.stop()
		}
	}()
	for _, s := range stages {
		x, err := b.start(chain, c, devices, []solver.Placed{s})
		if err != nil {
			return nil, err
		}
		beds = append(beds, x)
	}
	out := make([]simulation.Stage, len(stages))
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range stages {
		group.Go(func() error {
			inputs, _ := ends(chain, []solver.Placed{s})
			spent, err := b.spentPerRequest(ctx, beds[i], inputs)
			if err != nil {
				return err
			}
			deviation, err := b.deviation(ctx, beds[i], inputs)
			bytes := chain.Cuts[s.FirstSegment].Bytes + chain.Cuts[s.LastSegment+1].Bytes
			seconds := engineOf(spent, known[i], bytes)
			out[i] = simulation.Stage{Device: i, Seconds: seconds, Jitter: deviation / seconds}
			return err
		})
	}
	return out, group.Wait()
}

// deviation is the standard deviation of what the worker of a pipeline's only stage spends on a
// request, one after the other, in seconds.
func (b *bench) deviation(ctx context.Context, x *bed, inputs []tensor.Info) (float64, error) {
	client, err := x.client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	request, err := random(inputs)
	if err != nil {
		return 0, err
	}
	var all []float64
	before, err := x.spent()
	for end := time.Now().Add(b.measure); err == nil && time.Now().Before(end); {
		if _, err = client.Infer(ctx, modelName, releaseName, request); err != nil {
			break
		}
		var after []time.Duration
		if after, err = x.spent(); err == nil {
			all, before = append(all, (after[0]-before[0]).Seconds()), after
		}
	}
	return stat.StdDev(all, nil), err
}

// engineOf is what is left of a worker's processor time for a request without the two messages.
func engineOf(spent float64, d simulation.Device, bytes int64) float64 {
	return max(0, spent-2*d.MessageSeconds-d.ByteSeconds*float64(bytes))
}

// spentPerRequest is what the worker of a pipeline's only stage spends of a processor on a request.
func (b *bench) spentPerRequest(ctx context.Context, x *bed, inputs []tensor.Info) (float64, error) {
	client, err := x.client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if _, err := infer(ctx, client, inputs, load.Options{Duration: b.warm, Concurrency: 4}); err != nil {
		return 0, err
	}
	pid := x.processes[0].Process.Pid
	before, err := spent(pid)
	if err != nil {
		return 0, err
	}
	r, err := infer(ctx, client, inputs, load.Options{Duration: b.measure, Concurrency: 4})
	if err != nil {
		return 0, err
	}
	after, err := spent(pid)
	return (after - before).Seconds() / float64(r.Answered), err
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
