package main

import (
	"context"
	"io"
	"os"

	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/worker"
)

// serveProbe answers what `edgeplan probe` asks of the device, until its connection ends.
func serveProbe(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return agent.Serve(ctx, stdin, stdout, agent.Options{
		Root: ".", Program: program, Base: measureBase, Hop: measureHop,
		Workers: func(root string) ([]string, int64) {
			models, bytes, _ := worker.RunningIn(root) // what cannot be read does not count as busy
			return models, bytes
		},
	})
}
