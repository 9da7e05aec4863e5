package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// engineTimes are what the engines of a placement take of a processor: what the worker of each
// stage spends on a request, less its messages, and how much that varies. Every worker gets its
// requests from a gateway of its own, over links of the cluster's rate, and all of them at once,
// so that each runs as in the pipeline: woken by messages, held to its share, with the others beside it.
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
			out[i] = simulation.Stage{Device: i, Seconds: engineOf(spent, known[i], bytes)}
			if out[i].Seconds > 0 {
				out[i].Jitter = deviation / out[i].Seconds
			}
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
	if err == nil && len(all) < 2 {
		err = fmt.Errorf("%d answers in %v: measure for longer", len(all), b.measure)
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
