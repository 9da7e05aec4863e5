package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// inferOnce runs one inference through the gateway.
func (c *cli) inferOnce(ctx context.Context, state *statefile.State, name string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	client, closeClient, err := c.gateway(ctx, state, name)
	if err != nil {
		return nil, err
	}
	defer closeClient()
	return c.inferServed(ctx, client, name, state.Models[name].Release, inputs)
}

// inferServed asks a worker for what the state has recorded, and for the release that it
// serves where an apply was cut off between the two.
func (c *cli) inferServed(ctx context.Context, client *worker.Client, name, recorded string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	outputs, err := c.patientInfer(ctx, client, name, recorded, inputs)
	if status.Code(err) != codes.FailedPrecondition {
		return outputs, err
	}
	serving, unknown := client.Metadata(ctx, name, "")
	if unknown != nil || len(serving.Releases) != 1 || serving.Releases[0] == recorded {
		return nil, err
	}
	fmt.Fprintf(c.stderr, "Warning: the worker of %s serves release %s, and the state has %s: an apply was cut off in its switch. The next apply finds out.\n",
		name, serving.Releases[0], recorded)
	return c.patientInfer(ctx, client, name, serving.Releases[0], inputs)
}

// patience is how long an inference may take before the user is told that something is
// missing: the gateway tries again for half a minute when a stage is away.
const patience = 3 * time.Second

// patientInfer says that it waits when the answer takes long.
func (c *cli) patientInfer(ctx context.Context, client *worker.Client, name, release string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	waiting := time.AfterFunc(patience, func() {
		c.notef("Waiting for an answer: %s has given none for %s. `edgeplan status` tells which stage is away.", name, patience)
	})
	defer waiting.Stop()
	return client.Infer(ctx, name, release, inputs)
}

// gateway is a client of a deployed model's gateway over SSH.
func (c *cli) gateway(ctx context.Context, state *statefile.State, name string) (*worker.Client, func(), error) {
	return c.workerOf(ctx, state, name, state.Models[name].Gateway)
}

// workerOf is a client of a deployed model's worker on a node over SSH.
func (c *cli) workerOf(ctx context.Context, state *statefile.State, name, node string) (*worker.Client, func(), error) {
	conn, err := deployer.DialWorker(ctx, state, name, node, c.deployOptions())
	if err != nil {
		return nil, nil, err
	}
	client, err := worker.NewClient(conn)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return client, func() { client.Close(); conn.Close() }, nil
}
