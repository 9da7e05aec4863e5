package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/statefile"
)

const statusHelp = `[options] [MODEL]

Asks every worker of the deployed pipelines how it is: whether it is up and takes
requests, how many it has run, how long they took on average of what each stage may
take for the predicted throughput, what memory it uses, what waits, and what keeps it
running. MODEL limits it to one pipeline.

Examples:
  edgeplan status
  edgeplan status -json resnet50

Exit codes: 0 every worker is ready, 1 one is not, or cannot be asked.
`

// errNotReady is the end of a status that has already said what is wrong.
var errNotReady = errors.New("not every worker is ready")

// workerStatus is one row of the status.
type workerStatus struct {
	Node    string  `json:"node"`
	Stages  []int   `json:"stages"`
	Gateway bool    `json:"gateway"`
	Ready   bool    `json:"ready"`
	Error   string  `json:"error,omitempty"`
	Uptime  float64 `json:"uptime_seconds"`
	// Requests that the engine has run since the worker started, and how many of
	// them failed.
	Requests       float64 `json:"requests"`
	Failures       float64 `json:"failures"`
	ComputeSeconds float64 `json:"compute_seconds"` // mean of a request
	WaitSeconds    float64 `json:"wait_seconds"`    // mean of a request, in the queue
	Queue          float64 `json:"queue"`
	ResidentBytes  int64   `json:"resident_bytes"`
	PlannedBytes   int64   `json:"planned_bytes,omitempty"`
	// Supervision is what keeps the worker running, and starts it after a reboot:
	// systemd, systemd-user, cron, or none, which does the first only.
	Supervision string `json:"supervision,omitempty"`
}

// observeFormat is the format_version of what status and bench print as JSON.
const observeFormat = 1

// pipelineStatus is the status of one model.
type pipelineStatus struct {
	Model     string  `json:"model"`
	Release   string  `json:"release"`
	Predicted float64 `json:"predicted_throughput_per_second"`
	Answered  float64 `json:"answered"`
	Retries   float64 `json:"retries"`
	// ComputeLimit is what the predicted throughput leaves each stage for a request; 0 is no limit.
	ComputeLimit float64        `json:"compute_limit_seconds"`
	Workers      []workerStatus `json:"workers"`
}

func (s pipelineStatus) ready() bool {
	for _, w := range s.Workers {
		if !w.Ready {
			return false
		}
	}
	return true
}

func runStatus(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the status as JSON")
	names, err := c.parse(flags, statusHelp, args)
	if err != nil {
		return err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	models := sortedKeys(state.Models)
	if len(names) > 0 {
		name, err := deployedModel(state, names)
		if err != nil {
			return err
		}
		models = []string{name}
	}
	statuses := []pipelineStatus{}
	for _, name := range models {
		statuses = append(statuses, c.pipelineStatus(ctx, state, name))
	}
	if err := c.printStatuses(statuses, *asJSON); err != nil {
		return err
	}
	for _, s := range statuses {
		if !s.ready() {
			return errNotReady
		}
	}
	return nil
}

func (c *cli) pipelineStatus(ctx context.Context, state *statefile.State, name string) pipelineStatus {
	m := state.Models[name]
	s := pipelineStatus{Model: name, Release: m.Release, Predicted: m.Prediction.ThroughputPerSecond}
	if s.Predicted > 0 {
		s.ComputeLimit = 1 / s.Predicted
	}
	for _, report := range deployer.ReportWorkers(ctx, state, name, c.deployOptions()) {
		w := workerStatus{Node: report.Node, Stages: []int{}, Gateway: report.Node == m.Gateway, Ready: report.Ready}
		for i, slice := range m.Slices {
			if slice.Node == report.Node {
				w.Stages = append(w.Stages, i)
				w.PlannedBytes += slice.MemoryBytes
			}
		}
		metrics, err := parseMetrics(report.Metrics)
		if err = errors.Join(report.Err, err); err != nil {
			w.Error = err.Error()
		}
		w.fill(metrics)
		s.Answered += metrics.value("edgeplan_gateway_requests_total")
		s.Retries += metrics.value("edgeplan_gateway_retries_total")
		s.Workers = append(s.Workers, w)
	}
	return s
}

func (w *workerStatus) fill(m workerMetrics) {
	w.Uptime = m.value("edgeplan_worker_uptime_seconds")
	if start := m.value("edgeplan_worker_start_time_seconds"); w.Uptime == 0 && start > 0 { // of an earlier version, by two clocks
		w.Uptime = max(0, float64(time.Now().Unix())-start)
	}
	w.Requests, w.Failures = m.value("edgeplan_stage_requests_total"), m.value("edgeplan_stage_failures_total")
	w.ComputeSeconds, w.WaitSeconds = m.mean("edgeplan_stage_compute_seconds"), m.mean("edgeplan_stage_wait_seconds")
	w.Queue = m.value("edgeplan_stage_queue_length")
	w.Supervision = m.label("edgeplan_worker_supervised", "way")
	w.ResidentBytes = int64(m.value("process_resident_memory_bytes"))
}

func (c *cli) printStatuses(statuses []pipelineStatus, asJSON bool) error {
	if asJSON {
		return c.printJSON(map[string]any{"format_version": observeFormat, "models": statuses})
	}
	if len(statuses) == 0 {
		fmt.Fprintln(c.stdout, "Nothing is deployed.")
	}
	for i, s := range statuses {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		c.printStatus(s)
	}
	return nil
}

func (c *cli) printStatus(s pipelineStatus) {
	verdict := c.paint(c.stdout, green, "ready")
	if !s.ready() {
		verdict = c.paint(c.stdout, red, "not ready")
	}
	fmt.Fprintf(c.stdout, "%s: %s, release %s\n\n", c.paint(c.stdout, bold, "model."+s.Model), verdict, s.Release)
	rows := [][]string{{"part", "device", "up", "requests", "failed", "compute", "waited", "queue", "memory", "kept by"}}
	for _, w := range s.Workers {
		rows = append(rows, w.row(s.ComputeLimit))
	}
	printTable(c.stdout, rows)
	for _, w := range s.Workers {
		if w.Error != "" {
			fmt.Fprintf(c.stdout, "\n  %s\n", w.Error)
		}
	}
	fmt.Fprintf(c.stdout, "\n  %s answered, %s repeated; predicted throughput %s inferences/s\n",
		count(int(s.Answered), "request"), count(int(s.Retries), "attempt"), quantity.FormatNumber(s.Predicted))
}

func (w workerStatus) row(computeLimit float64) []string {
	part := "gateway"
	if len(w.Stages) > 0 {
		part = fmt.Sprintf("stage %d", w.Stages[0])
		if w.Gateway {
			part += ", gateway"
		}
	}
	switch {
	case w.Error != "":
		return []string{part, w.Node, "does not answer", "", "", "", "", "", "", ""}
	case !w.Ready:
		part += " (not ready)"
	}
	up := time.Duration(w.Uptime * float64(time.Second)).Round(time.Second).String()
	memory := quantity.FormatBytes(w.ResidentBytes)
	if len(w.Stages) == 0 {
		return []string{part, w.Node, up, "", "", "", "", "", memory, w.Supervision}
	}
	if w.PlannedBytes > 0 {
		memory += " of " + quantity.FormatBytes(w.PlannedBytes) + " planned"
	}
	return []string{
		part, w.Node, up, whole(w.Requests), whole(w.Failures),
		computeText(w.ComputeSeconds, computeLimit), quantity.FormatSeconds(w.WaitSeconds), whole(w.Queue), memory, w.Supervision,
	}
}

// computeText is as "2.3 ms of 43 ms": what a stage takes, and what it may take for the predicted throughput.
func computeText(seconds, limit float64) string {
	if limit == 0 {
		return quantity.FormatSeconds(seconds)
	}
	return quantity.FormatSeconds(seconds) + " of " + quantity.FormatSeconds(limit)
}

// whole writes a count; metrics are floats, which by themselves are written as 1e+06.
func whole(count float64) string { return fmt.Sprintf("%.0f", count) }
