// Command bench-pipeline holds the prediction of a plan against what real workers reach.
//
// It starts edgeplan-worker processes with ONNX Runtime on this machine, each limited to a
// share of a core, joined by links of limited rate, and prints a row for every model on every
// cluster that ends in measured/predicted. The times that the prediction is made of are
// measured beforehand, by running the slices alone on the limited devices.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/simulation"
)

// options of a run.
type options struct {
	measure, warm time.Duration // of every load
	only          string        // "model/cluster" must contain it
	slice         string        // internal: run this slice alone, see slice.go
	wire          string        // internal: send bytes over TLS, see wire.go
	simulate      bool          // hold the simulation against the pipelines, see simulate.go
}

func main() {
	var o options
	flag.DurationVar(&o.measure, "duration", 8*time.Second, "how long each pipeline is measured")
	flag.DurationVar(&o.warm, "warm-up", 2*time.Second, "how long it runs before that")
	flag.StringVar(&o.only, "only", "", "rows whose model/cluster contains this text")
	flag.StringVar(&o.slice, "slice", "", "run one slice and print its seconds (used by the program itself)")
	flag.StringVar(&o.wire, "wire", "", "RELAY,LISTEN: print the processor seconds of a byte over TLS (used by the program itself)")
	flag.BoolVar(&o.simulate, "simulate", false, "also simulate each pipeline under closed and open loops, and compare")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if relay, listen, ok := strings.Cut(o.wire, ","); ok {
		return timeWire(relay, listen, o.measure)
	}
	fetch := artifact.FromEnvironment()
	engine, err := artifact.Engine(ctx, fetch.Host, fetch)
	if err != nil {
		return err
	}
	if o.slice != "" {
		return timeSlice(engine.Path, o.slice, o.measure)
	}
	dir, err := os.MkdirTemp("", "epb") // short: sockets lie in it
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, engine: engine.Path, worker: filepath.Join(dir, "edgeplan-worker"), known: map[[2]float64]simulation.Device{}}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.worker, "./cmd/edgeplan-worker")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the worker: %w", err)
	}
	if b.limits, err = newLimits(); err != nil {
		fmt.Printf("Devices are NOT limited (%v): the rows say little about slow devices.\n", err)
	}
	defer func() { b.limits.remove() }()
	return b.all(ctx)
}

// all measures every model on every cluster and prints the table.
func (b *bench) all(ctx context.Context) error {
	var rows []row
	var checks []checked
	for _, m := range models {
		chain, err := m.load(ctx, b.dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, c := range clusters {
			if !strings.Contains(m.name+"/"+c.name, b.only) {
				continue
			}
			if b.simulate {
				found, err := b.check(ctx, m.name, chain, c)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", m.name, c.name, err)
				}
				checks = append(checks, found...)
				continue
			}
			r, err := b.row(ctx, m.name, chain, c)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", m.name, c.name, err)
			}
			fmt.Fprintln(os.Stderr, r)
			rows = append(rows, r)
		}
	}
	if b.simulate {
		printChecked(checks)
	} else {
		printRows(rows)
	}
	return nil
}

// Targets of measured/predicted.
const (
	linkTarget   = 0.95
	deviceTarget = 0.90
)

func printRows(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "model\tcluster\tstages\tbottleneck\tpredicted\tmeasured\tp50\tbest single device\tspeed-up predicted\tmeasured\tgateway RSS\t")
	reached, highest := 0, int64(0)
	for _, r := range rows {
		fmt.Fprintln(w, r.cells())
		if r.ratio() >= r.target() {
			reached++
		}
		highest = max(highest, r.gatewayBytes)
	}
	w.Flush()
	fmt.Printf("%d of %d rows reach measured/predicted >= %.2f (link) or >= %.2f (device).\n", reached, len(rows), linkTarget, deviceTarget)
	fmt.Printf("A worker without an engine session had at most %.1f MiB of resident memory when idle.\n", float64(highest)/(1<<20))
}
