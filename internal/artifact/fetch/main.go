// Command fetch puts ONNX Runtime for this machine into the per-user cache,
// where the tests look for it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/edgeplan/edgeplan/internal/artifact"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	options := artifact.FromEnvironment()
	options.Progress = func(text string) { fmt.Fprintln(os.Stderr, text) }
	engine, err := artifact.Engine(ctx, options.Host, options)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(engine.Path)
}
