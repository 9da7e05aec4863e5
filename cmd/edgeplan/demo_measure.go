package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
)

// How long the demo measures for.
const (
	computeTime    = time.Second
	throughputTime = 3 * time.Second
)

// requestsInFlight keeps every stage of the demo's pipeline busy.
const requestsInFlight = 8

// measureCompute runs the whole model as often at once as there are devices, with
// one thread each, and gives the FLOPs per second that each of them gets: the
// devices share this machine.
func measureCompute(ctx context.Context, dir string, devices int) (float64, error) {
	set, err := artifact.Open(dir)
	if err != nil {
		return 0, err
	}
	engine, err := openEngine(set)
	if err != nil {
		return 0, err
	}
	chain, err := onnx.Load(ctx, filepath.Join(dir, "resnet.onnx"), onnx.Options{Shapes: engine})
	if err != nil {
		return 0, err
	}
	rates := make([]float64, devices)
	var group errgroup.Group
	for i := range rates {
		group.Go(func() (err error) {
			rates[i], err = runRate(ctx, engine, chain)
			return err
		})
	}
	err = group.Wait()
	return slices.Min(rates), err
}

// runRate runs a model with one thread for a while.
func runRate(ctx context.Context, engine *ort.Engine, chain *onnx.Chain) (float64, error) {
	session, err := engine.NewSession(chain.Path, ort.SessionOptions{Level: ort.Extended, Threads: 1})
	if err != nil {
		return 0, err
	}
	defer session.Close()
	inputs, err := randomInputs(chain.Inputs, 1)
	if err != nil {
		return 0, err
	}
	runs, elapsed, err := repeat(ctx, computeTime, func() error {
		_, err := session.Run(inputs, []string{chain.Outputs[0].Name})
		return err
	})
	if err != nil {
		return 0, err
	}
	return float64(chain.FLOPs) * float64(runs) / elapsed.Seconds(), nil
}

// repeat calls a function again and again for a while, the first time unmeasured.
func repeat(ctx context.Context, length time.Duration, call func() error) (runs int64, elapsed time.Duration, err error) {
	if err := call(); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	for time.Since(start) < length && ctx.Err() == nil {
		if err := call(); err != nil {
			return 0, 0, err
		}
		runs++
	}
	return runs, time.Since(start), ctx.Err()
}

// measureThroughput sends requests through the pipeline, several at a time, and
// prints what came through beside what was predicted.
func (d *demo) measureThroughput(ctx context.Context) error {
	state, err := statefile.Open(d.dir).Load(ctx)
	if err != nil {
		return err
	}
	result, err := d.cli.bench(ctx, state, "resnet", benchFlags{load: load.Options{Duration: throughputTime, Concurrency: requestsInFlight}, seed: 1})
	if err == nil {
		err = result.load.FirstError
	}
	if err != nil {
		return err
	}
	measured, predicted, elapsed := result.load.Throughput(), result.predicted, result.load.Elapsed
	fmt.Fprintf(d.cli.stdout, "\npredicted %s inferences/s, measured %s/s over %s (measured/predicted %.2f)\n"+
		"The prediction is of three devices; here their workers and the one who asks share %s.\n",
		quantity.FormatNumber(predicted), quantity.FormatNumber(measured), elapsed.Round(100*time.Millisecond), measured/predicted,
		count(runtime.NumCPU(), "core"))
	return nil
}
