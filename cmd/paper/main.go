// Command paper regenerates docs/paper.md, the reproduction of A. Parthasarathy and
// B. Krishnamachari, arXiv 2210.12219, with its tables and plots. It runs all
// algorithms on all instances of the paper's grid, writes what they gave to
// instances.csv, how long they took to seconds.csv, and the report from these two
// alone; with -report-only it writes the report of the files that are there. With -problem
// it writes the joint problem of one instance for edgeplan solve.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "paper:", err)
		os.Exit(1)
	}
}

type options struct {
	docs       string
	trials     int
	parallel   int
	limit      time.Duration
	reportOnly bool
	problem    string
}

func run(ctx context.Context, args []string, stdout, progress io.Writer) error {
	var o options
	flags := flag.NewFlagSet("paper", flag.ExitOnError)
	flags.StringVar(&o.docs, "docs", "docs", "`folder` of paper.md; the other files go to its folder paper")
	flags.IntVar(&o.trials, "networks", trials, "networks of each size")
	flags.IntVar(&o.parallel, "parallel", 2, "instances at a time")
	flags.DurationVar(&o.limit, "time-limit", timeLimit, "of each search of the solver")
	flags.BoolVar(&o.reportOnly, "report-only", false, "run nothing, write the report of the last run")
	flags.StringVar(&o.problem, "problem", "", "write the problem of one `instance`, model,mib,nodes,network, for edgeplan solve")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.trials < 2 || o.trials > trials || o.parallel < 1 {
		return fmt.Errorf("-networks is 2 to %d, -parallel at least 1", trials)
	}
	if o.problem != "" {
		return writeProblem(stdout, o.problem)
	}
	if !o.reportOnly {
		if err := o.measure(ctx, progress); err != nil {
			return err
		}
	}
	return o.report()
}

func (o *options) file(name string) string { return filepath.Join(o.docs, "paper", name) }

// measure runs the grid and writes its two tables.
func (o *options) measure(ctx context.Context, progress io.Writer) error {
	rows := rowsWithTransfers()
	r := runner{rows: rows, limit: o.limit, parallel: o.parallel, timings: newTimings(), progress: progress}
	instances, err := r.run(ctx, places(rows, sizes, o.trials))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.file(""), 0o777); err != nil {
		return err
	}
	write := func(w io.Writer) error { return writeInstances(w, instances) }
	if err := writeFile(o.file("instances.csv"), write); err != nil {
		return err
	}
	return writeFile(o.file("seconds.csv"), r.timings.write)
}

// report writes paper.md and the plots of the two tables.
func (o *options) report() error {
	instances, err := read(o.file("instances.csv"), readInstances)
	if err != nil {
		return err
	}
	spent, err := read(o.file("seconds.csv"), readTimings)
	if err != nil {
		return err
	}
	r := newReport(instances, spent)
	for name, draw := range r.plots() {
		if err := writeFile(o.file(name), draw); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(o.docs, "paper.md"), r.write)
}

func read[T any](name string, from func(io.Reader) (T, error)) (out T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return out, err
	}
	defer f.Close()
	if out, err = from(f); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return out, err
}

// writeFile replaces a file by what write writes, whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return renameio.WriteFile(name, content.Bytes(), 0o666)
}
