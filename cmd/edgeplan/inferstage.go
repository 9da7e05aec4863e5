package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// tried is what an inference is asked of: a pipeline, or one slice.
type tried struct {
	inputs, outputs []tensor.Info
	infer           func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error)
}

func (c *cli) triedOf(state *statefile.State, name string, o inferFlags) (tried, error) {
	m := state.Models[name]
	if o.stage == nil {
		return tried{m.Inputs, m.Outputs, func(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
			return c.inferOnce(ctx, state, name, inputs)
		}}, nil
	}
	switch {
	case o.verify:
		return tried{}, errors.New("-stage and -verify exclude each other: what is compared is the whole model's output")
	case *o.stage >= len(m.Slices):
		return tried{}, fmt.Errorf("-stage %d: model.%s has the slices 0 to %d; `edgeplan show` lists them", *o.stage, name, len(m.Slices)-1)
	}
	slice := m.Slices[*o.stage]
	return tried{slice.Inputs, slice.Outputs, func(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
		return c.inferStage(ctx, state, name, *o.stage, inputs)
	}}, nil
}

// inferStage runs one slice on its device. The worker there takes it for another client of
// its stage, so the pipeline goes on.
func (c *cli) inferStage(ctx context.Context, state *statefile.State, name string, index int, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	m := state.Models[name]
	client, closeClient, err := c.workerOf(ctx, state, name, m.Slices[index].Node)
	if err != nil {
		return nil, err
	}
	defer closeClient()
	return c.inferServed(ctx, client, worker.StageName(name, index), m.Release, inputs)
}
