package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/worker"
)

// loaded sends a load through a pipeline and tells what it met after the warm-up, with what each
// worker spent of a processor on a request.
func (x *bed) loaded(ctx context.Context, l simulation.Load, d time.Duration, inputs []tensor.Info) (r load.Result, seconds []float64, err error) {
	client, err := x.client()
	if err != nil {
		return r, nil, err
	}
	defer client.Close()
	o := load.Options{Duration: d, WarmUp: d / 10, Concurrency: l.Concurrency, Rate: l.Rate}
	if l.Rate > 0 {
		pauses := l.Pauses(simulatedSeed, 0)
		o.Pause = func() time.Duration { return time.Duration(pauses() * float64(time.Second)) }
	}
	group, ctx := errgroup.WithContext(ctx)
	var before, after []time.Duration
	group.Go(func() (err error) {
		if err = pause(ctx, o.WarmUp); err == nil {
			before, err = x.spent()
		}
		if err == nil {
			err = pause(ctx, o.Duration-o.WarmUp)
		}
		if err == nil {
			after, err = x.spent()
		}
		return err
	})
	group.Go(func() (err error) {
		r, err = infer(ctx, client, inputs, o)
		return err
	})
	if err := group.Wait(); err != nil {
		return r, nil, err
	}
	for i := range before {
		seconds = append(seconds, (after[i]-before[i]).Seconds()/float64(r.Answered))
	}
	return r, seconds, nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// spent is the processor time of each worker so far.
func (x *bed) spent() ([]time.Duration, error) {
	var all []time.Duration
	for _, p := range x.processes {
		t, err := spent(p.Process.Pid)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// infer sends requests for a while.
func infer(ctx context.Context, client *worker.Client, inputs []tensor.Info, o load.Options) (load.Result, error) {
	request, err := random(inputs)
	if err != nil {
		return load.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	r := load.Run(ctx, o, func(ctx context.Context) error {
		_, err := client.Infer(ctx, modelName, releaseName, request)
		return err
	})
	if r.FirstError == nil && r.Answered == 0 {
		return r, fmt.Errorf("no answer in %v: measure for longer", o.Duration)
	}
	return r, r.FirstError
}

// random is a request.
func random(inputs []tensor.Info) (request []tensor.Tensor, err error) {
	for _, info := range inputs {
		t, err := tensor.Random(info, 1)
		if err != nil {
			return nil, err
		}
		request = append(request, t)
	}
	return request, nil
}
