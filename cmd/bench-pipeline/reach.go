package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/worker"
)

// reached is a placement as predicted and as measured.
type reached struct {
	predicted    *solver.Cost
	throughput   float64 // inferences per second
	p50          time.Duration
	gatewayBytes int64 // resident memory of the gateway's worker before the load
}

// reach measures the slices of a placement one by one, predicts, and runs the pipeline.
func (b *bench) reach(ctx context.Context, chain *onnx.Chain, c cluster, p *solver.Problem, devices []string, stages []solver.Placed, slices bool) (r reached, err error) {
	measured := clone(p)
	if slices { // of a single device the whole model was timed already
		if err := b.timeTogether(chain, devices, stages, measured); err != nil {
			return r, err
		}
	}
	if r.predicted, err = solver.Evaluate(measured, stages); err != nil {
		return r, err
	}
	bed, err := b.start(chain, c, devices, stages)
	if err != nil {
		return r, err
	}
	defer bed.stop()
	r.gatewayBytes, err = bed.gatewayBytes()
	if err != nil {
		return r, err
	}
	client, err := bed.client()
	if err != nil {
		return r, err
	}
	defer client.Close()
	r.throughput, r.p50, err = b.load(ctx, client, chain.Inputs)
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, bed.logs())
	}
	return r, nil
}

// timeTogether times the slices of all stages at once: devices of their own do not take
// each other's caches, but these share a processor with theirs, in the pipeline as here.
func (b *bench) timeTogether(chain *onnx.Chain, devices []string, stages []solver.Placed, p *solver.Problem) error {
	seconds := make([]float64, len(stages))
	var group errgroup.Group
	for i, s := range stages {
		path, err := b.write(chain, s.FirstSegment, s.LastSegment)
		if err != nil {
			return err
		}
		group.Go(func() (err error) {
			seconds[i], err = b.time(devices[s.Node], path)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, s := range stages {
		scale(p, s, seconds[i])
	}
	return nil
}

func clone(p *solver.Problem) *solver.Problem {
	out := *p
	out.Nodes = append([]solver.Node(nil), p.Nodes...)
	for i := range out.Nodes {
		out.Nodes[i].SegmentSeconds = append([]float64(nil), p.Nodes[i].SegmentSeconds...)
	}
	return &out
}

// inFlight is more than the queues of three stages hold.
const inFlight = 24

// load keeps the pipeline full and counts the answers after the warm-up: from the first of
// these to the last, so that neither filling nor emptying counts.
func (b *bench) load(ctx context.Context, client *worker.Client, inputs []tensor.Info) (throughput float64, p50 time.Duration, err error) {
	var request []tensor.Tensor
	for _, info := range inputs {
		t, err := tensor.Random(info, 1)
		if err != nil {
			return 0, 0, err
		}
		request = append(request, t)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	begin := time.Now().Add(b.warm)
	end := begin.Add(b.measure)
	var mu sync.Mutex
	var first, last time.Time
	var took []time.Duration
	var failed error
	var group sync.WaitGroup
	for range inFlight {
		group.Go(func() {
			for now := time.Now(); now.Before(end); {
				_, err := client.Infer(ctx, modelName, releaseName, request)
				start := now
				now = time.Now()
				mu.Lock()
				switch {
				case err != nil:
					failed, end = err, start
				case now.After(begin) && now.Before(end):
					if first.IsZero() {
						first = now
					}
					last, took = now, append(took, now.Sub(start))
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if failed != nil {
		return 0, 0, failed
	}
	if len(took) < 10 {
		return 0, 0, fmt.Errorf("only %d answers in %v: measure for longer", len(took), b.measure)
	}
	return float64(len(took)-1) / last.Sub(first).Seconds(), median(took), nil
}
