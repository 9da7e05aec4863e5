package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/statefile"
)

const benchHelp = `[options] [MODEL]

Sends requests through a deployed pipeline for a while, and compares the measured
throughput with the predicted one. The requests go through the SSH connection to
the gateway, like those of infer.

Requests are sent for a tenth of the -duration before that, which fills the pipeline
and does not count.

Without -rate the loop is closed: a new request follows each answer, with
-concurrency of them under way. With -rate it is open: requests come at that
rate whether or not earlier ones are answered, and latencies count from when a
request was due.

Examples:
  edgeplan bench
  edgeplan bench resnet50 -duration 1m -concurrency 32
  edgeplan bench resnet50 -rate 20 -json

Exit codes: 0 all requests were answered, 1 one failed, or an error.
`

// benchFlags are the options of bench.
type benchFlags struct {
	load   load.Options
	seed   uint64
	asJSON bool
}

func runBench(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var o benchFlags
	flags.DurationVar(&o.load.Duration, "duration", 10*time.Second, "send requests for this `TIME`")
	flags.IntVar(&o.load.Concurrency, "concurrency", 0, "`COUNT` of requests under way; default: enough to keep every stage busy")
	flags.Float64Var(&o.load.Rate, "rate", 0, "send so many requests a second, `RATE`, in an open loop")
	flags.Uint64Var(&o.seed, "random", 1, "make the input from `SEED`")
	flags.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	state, name, err := c.parseDeployed(ctx, flags, benchHelp, args)
	if err != nil {
		return err
	}
	if err := o.check(state.Models[name]); err != nil {
		return err
	}
	result, err := c.bench(ctx, state, name, o)
	if err != nil {
		return err
	}
	if err := c.printBench(result, o); err != nil {
		return err
	}
	if result.load.Failed > 0 {
		return fmt.Errorf("%d requests failed; the first: %w", result.load.Failed, result.load.FirstError)
	}
	if result.load.Answered == 0 {
		return fmt.Errorf("no request was answered in the %s that count: give it a longer -duration", quantity.FormatSeconds(result.load.Elapsed.Seconds()))
	}
	return nil
}

// The rates of an open loop: one request in a quarter of an hour, and far more than
// a gateway takes.
const minRate, maxRate = 0.001, 1e6

// check completes the options for a model.
func (o *benchFlags) check(m statefile.Model) error {
	switch {
	case o.load.Duration <= 0:
		return errors.New("-duration must be more than 0")
	case o.load.Concurrency < 0:
		return errors.New("-concurrency must be 1 or more")
	case !(o.load.Rate == 0 || o.load.Rate >= minRate && o.load.Rate <= maxRate):
		return fmt.Errorf("-rate must be from %v to %v requests a second, or 0 for a closed loop", minRate, maxRate)
	case o.load.Concurrency == 0:
		o.load.Concurrency = defaultConcurrency(len(m.Slices), o.load.Rate)
	}
	return nil
}

// defaultConcurrency of a closed loop has one request in each engine, one on each way, and
// one that waits at each; that of an open loop only bounds it.
func defaultConcurrency(stages int, rate float64) int {
	if rate > 0 {
		return 1000
	}
	return 3*stages + 2
}

// benchResult is what bench found.
type benchResult struct {
	model     string
	predicted float64 // inferences per second
	load      load.Result
	stages    []stageLoad
}

// stageLoad is what a stage did meanwhile.
type stageLoad struct {
	Node           string  `json:"node"`
	Stage          int     `json:"stage"`
	Utilisation    float64 `json:"utilisation"`     // share of the time that the engine ran
	ComputeSeconds float64 `json:"compute_seconds"` // mean of a request
	WaitSeconds    float64 `json:"wait_seconds"`    // mean of a request, in the queue
	SentBytes      float64 `json:"sent_bytes_per_second"`
}

func (c *cli) bench(ctx context.Context, state *statefile.State, name string, o benchFlags) (*benchResult, error) {
	m := state.Models[name]
	inputs, err := randomInputs(m.Inputs, o.seed)
	if err != nil {
		return nil, err
	}
	client, closeClient, err := c.gateway(ctx, state, name)
	if err != nil {
		return nil, err
	}
	defer closeClient()
	request := func(ctx context.Context) error {
		_, err := client.Infer(ctx, name, m.Release, inputs)
		return err
	}
	if _, err := c.patientInfer(ctx, client, name, m.Release, inputs); err != nil {
		return nil, err
	}
	o.load.WarmUp = o.load.Duration / 10
	o.load.Duration += o.load.WarmUp
	before := c.stageMetrics(ctx, state, name)
	r, begun := &benchResult{model: name, predicted: m.Prediction.ThroughputPerSecond}, time.Now()
	r.load = load.Run(ctx, o.load, request)
	elapsed := time.Since(begun)
	after := c.stageMetrics(ctx, state, name)
	for i, slice := range m.Slices {
		r.stages = append(r.stages, loadOf(slice.Node, i, before[slice.Node], after[slice.Node], elapsed.Seconds()))
	}
	return r, ctx.Err()
}

// stageMetrics asks all workers; one that does not answer has none.
func (c *cli) stageMetrics(ctx context.Context, state *statefile.State, name string) map[string]workerMetrics {
	all := map[string]workerMetrics{}
	for _, report := range deployer.ReportWorkers(ctx, state, name, c.deployOptions()) {
		if metrics, err := parseMetrics(report.Metrics); err == nil {
			all[report.Node] = metrics
		}
	}
	return all
}

func loadOf(node string, stage int, before, after workerMetrics, elapsed float64) stageLoad {
	l := stageLoad{Node: node, Stage: stage}
	mean := func(name string) (mean, sum float64) {
		s0, n0 := before.histogram(name)
		s1, n1 := after.histogram(name)
		if n1 <= n0 {
			return 0, 0
		}
		return (s1 - s0) / (n1 - n0), s1 - s0
	}
	var busy float64
	l.ComputeSeconds, busy = mean("edgeplan_stage_compute_seconds")
	l.WaitSeconds, _ = mean("edgeplan_stage_wait_seconds")
	if elapsed > 0 {
		l.Utilisation = busy / elapsed
		l.SentBytes = max(0, after.value("edgeplan_transfer_bytes_total")-before.value("edgeplan_transfer_bytes_total")) / elapsed
	}
	return l
}

func (c *cli) printBench(r *benchResult, o benchFlags) error {
	measured := r.load.Throughput()
	if o.asJSON {
		report := map[string]any{
			"format_version": observeFormat, "model": r.model, "elapsed_seconds": r.load.Elapsed.Seconds(), "concurrency": o.load.Concurrency,
			"rate": o.load.Rate, "answered": r.load.Answered, "failed": r.load.Failed, "throughput_per_second": measured,
			"predicted_throughput_per_second": r.predicted,
			"latency_seconds": map[string]float64{
				"p50": r.load.Quantile(0.5).Seconds(), "p90": r.load.Quantile(0.9).Seconds(),
				"p99": r.load.Quantile(0.99).Seconds(), "max": r.load.Quantile(1).Seconds(),
			},
			"stages": r.stages,
		}
		if o.comparable(r) {
			report["measured_over_predicted"] = measured / r.predicted
		}
		return c.printJSON(report)
	}
	loop := fmt.Sprintf("closed loop, %d under way", o.load.Concurrency)
	if o.load.Rate > 0 {
		loop = fmt.Sprintf("open loop, %s requests/s", quantity.FormatNumber(o.load.Rate))
	}
	seconds := func(q float64) string { return quantity.FormatSeconds(r.load.Quantile(q).Seconds()) }
	fmt.Fprintf(c.stdout, "%s: %d answered, %d failed in %s, %s\n\n", c.paint(c.stdout, bold, "model."+r.model),
		r.load.Answered, r.load.Failed, quantity.FormatSeconds(r.load.Elapsed.Seconds()), loop)
	rows := [][]string{{"stage", "device", "utilisation", "compute", "waited", "sent"}}
	for _, s := range r.stages {
		rows = append(rows, []string{
			fmt.Sprint(s.Stage), s.Node, fmt.Sprintf("%.0f%%", 100*s.Utilisation), quantity.FormatSeconds(s.ComputeSeconds),
			quantity.FormatSeconds(s.WaitSeconds), quantity.FormatBytes(int64(s.SentBytes)) + "/s",
		})
	}
	printTable(c.stdout, rows)
	fmt.Fprintf(c.stdout, "\n  latency     p50 %s, p90 %s, p99 %s, longest %s\n", seconds(0.5), seconds(0.9), seconds(0.99), seconds(1))
	fmt.Fprintf(c.stdout, "  throughput  %s inferences/s, predicted %s", quantity.FormatNumber(measured), quantity.FormatNumber(r.predicted))
	if o.comparable(r) {
		fmt.Fprintf(c.stdout, ", measured/predicted %.2f", measured/r.predicted)
	}
	fmt.Fprintln(c.stdout)
	return nil
}

// comparable says whether the measured throughput tells something of the predicted
// one: requests that come at a rate of the user's measure that rate.
func (o benchFlags) comparable(r *benchResult) bool { return o.load.Rate == 0 && r.predicted > 0 }
