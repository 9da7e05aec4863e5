package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeplan/edgeplan/internal/load"
	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
	"github.com/edgeplan/edgeplan/worker"
)

// With -simulate every pipeline is also simulated, under the loads that it really gets, and
// the rows end in simulated/measured. What the simulation is made of is measured beforehand on
// the limited devices and is no part of the pipeline: the slices alone, and what messages take
// of the processor (hop.go).

// simulatedSeed is of the arrivals of open loops, which are the same here and there.
const simulatedSeed = 1

// checkedRequests are those of each load, of which a tenth is warm-up, unless they take longer
// than checkedSeconds.
const (
	checkedRequests = 1120
	checkedSeconds  = 40
)

// checked is a pipeline under one load, simulated and measured.
type checked struct {
	model, cluster, load string
	// The simulation with times that were measured before, and with those meanwhile.
	before, during outcome
	measured       outcome
	answers        int
	low, high      float64 // of the measured p99, with 95 % confidence
}

// outcome is what a load met: answers per second, and latencies in seconds.
type outcome struct{ throughput, p50, p99 float64 }

// Targets of simulated/measured.
const (
	throughputTarget = 0.03
	p99Target        = 0.15
)

// within says whether a simulation is within the targets.
func (c checked) within(simulated outcome) bool {
	return near(simulated.throughput, c.measured.throughput, throughputTarget) && near(simulated.p99, c.measured.p99, p99Target)
}

func near(a, b, share float64) bool { return a >= b*(1-share) && a <= b*(1+share) }

func (c checked) cells() string {
	ms := func(seconds float64) string { return fmt.Sprintf("%.0f", 1000*seconds) }
	ratios := func(simulated outcome) string {
		return fmt.Sprintf("%.3f\t%.3f\t%.3f", simulated.throughput/c.measured.throughput, simulated.p50/c.measured.p50, simulated.p99/c.measured.p99)
	}
	return strings.Join([]string{
		c.model, c.cluster, c.load, fmt.Sprint(c.answers), fmt.Sprintf("%.2f/s", c.measured.throughput),
		ms(c.measured.p50), ms(c.measured.p99), ms(c.low) + " to " + ms(c.high), ratios(c.before), ratios(c.during),
	}, "\t")
}

// check simulates and measures one model on one cluster.
func (b *bench) check(ctx context.Context, name string, chain *onnx.Chain, c cluster) ([]checked, error) {
	c.tight = true
	devices, whole, _, err := b.devices(chain, c)
	if err != nil {
		return nil, err
	}
	p := problem(chain, c, whole)
	solution, err := solver.Solve(ctx, p, solver.Options{})
	if err != nil {
		return nil, err
	}
	system, err := b.system(ctx, chain, c, p, devices, solution.Stages)
	if err != nil {
		return nil, err
	}
	x, err := b.start(chain, c, devices, solution.Stages)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	var all []checked
	for _, share := range []float64{0, 0.5, 0.7} {
		l := simulation.Load{Concurrency: 3*len(solution.Stages) + 2}
		if share > 0 {
			l = simulation.Load{Rate: share * all[0].measured.throughput, Concurrency: 1000}
		}
		row, err := b.checkLoad(ctx, x, system, l, chain.Inputs)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, x.logs())
		}
		row.model, row.cluster = name, c.name
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(row.cells(), "\t", "  "))
		all = append(all, row)
	}
	return all, nil
}

// checkLoad simulates a load with the times that were measured before, sends it, and simulates it
// again with the times that the engines took meanwhile.
func (b *bench) checkLoad(ctx context.Context, x *bed, system *simulation.System, l simulation.Load, inputs []tensor.Info) (checked, error) {
	row := checked{load: l.String()}
	system.Models[0].Load = l
	enough, err := simulate(ctx, system, simulation.Options{Requests: checkedRequests})
	if err != nil {
		return row, err
	}
	seconds := min(checkedRequests/enough.Throughput, checkedSeconds)
	before, err := simulate(ctx, system, simulation.Options{Seconds: seconds})
	if err != nil {
		return row, err
	}
	r, spent, err := x.loaded(ctx, l, time.Duration(seconds*float64(time.Second)), inputs)
	if err != nil {
		return row, err
	}
	during, err := simulate(ctx, withEngines(system, spent), simulation.Options{Seconds: seconds})
	if err != nil {
		return row, err
	}
	row.before, row.during = simulatedOutcome(before), simulatedOutcome(during)
	row.measured = outcome{r.Throughput(), r.Quantile(0.5).Seconds(), r.Quantile(0.99).Seconds()}
	row.answers = r.Answered
	low, high := r.Interval(0.99)
	row.low, row.high = low.Seconds(), high.Seconds()
	return row, nil
}

func simulatedOutcome(m *simulation.ModelResult) outcome {
	return outcome{m.Throughput, m.Quantile(0.5), m.Quantile(0.99)}
}

// withEngines is a system whose stages spend so much of a processor on a request, messages included.
func withEngines(system *simulation.System, spent []float64) *simulation.System {
	out, m := *system, system.Models[0]
	m.Stages = slices.Clone(m.Stages)
	for i := range m.Stages {
		m.Stages[i].Seconds = engineOf(spent[i], system.Devices[i], m.Hops[i].Bytes+m.Hops[i+1].Bytes)
	}
	out.Models = []simulation.Model{m}
	return &out
}

func simulate(ctx context.Context, system *simulation.System, o simulation.Options) (*simulation.ModelResult, error) {
	o.Seed = simulatedSeed
	r, err := simulation.Run(ctx, system, o)
	if err != nil {
		return nil, err
	}
	return &r.Models[0], nil
}

// system is a placement with what was measured of its parts.
func (b *bench) system(ctx context.Context, chain *onnx.Chain, c cluster, p *solver.Problem, devices []string, stages []solver.Placed) (*simulation.System, error) {
	cost, err := solver.Evaluate(p, stages)
	if err != nil {
		return nil, err
	}
	s, m := &simulation.System{}, simulation.Model{Gateway: len(stages), Queue: benchQueue, TimeoutSeconds: benchTimeout}
	for _, st := range stages {
		d, err := b.limitedDevice(ctx, devices[st.Node], c.shares[st.Node], c.mbps)
		if err != nil {
			return nil, err
		}
		s.Devices = append(s.Devices, d)
	}
	if m.Stages, err = b.engineTimes(ctx, chain, c, devices, stages, s.Devices); err != nil {
		return nil, err
	}
	for i, st := range m.Stages {
		fmt.Fprintf(os.Stderr, "stage %d on a device with %.2f of a core: %.3f ms, varies by %.0f %%\n", i, c.shares[stages[i].Node], 1e3*st.Seconds, 100*st.Jitter)
	}
	s.Devices = append(s.Devices, simulation.Device{Cores: 2, MessageSeconds: s.Devices[0].MessageSeconds, ByteSeconds: s.Devices[0].ByteSeconds})
	for i, t := range cost.Transfers {
		s.Media = append(s.Media, simulation.Medium{BurstSeconds: c.slack().Seconds()})
		m.Hops = append(m.Hops, simulation.Hop{Bytes: t.Bytes, Uses: []simulation.Use{{Medium: i, Seconds: t.Seconds}}})
	}
	s.Models = []simulation.Model{m}
	return s, nil
}

func printChecked(rows []checked) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\t\t\tmeasured\t\t\t\t\tsimulated/measured, times of before\t\t\ttimes meanwhile\t\t\t")
	fmt.Fprintln(w, "model\tcluster\tload\tanswers\tthroughput\tp50 ms\tp99 ms\t95 %\tthroughput\tp50\tp99\tthroughput\tp50\tp99\t")
	before, during := 0, 0
	for _, r := range rows {
		fmt.Fprintln(w, r.cells()+"\t")
		if r.within(r.before) {
			before++
		}
		if r.within(r.during) {
			during++
		}
	}
	w.Flush()
	fmt.Printf("Throughput within %.0f %% and p99 within %.0f %%: %d of %d rows with the times of before, and %d with those meanwhile.\n",
		100*throughputTarget, 100*p99Target, before, len(rows), during)
}

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
	var group errgroup.Group
	var before, after []time.Duration
	group.Go(func() (err error) {
		time.Sleep(o.WarmUp)
		if before, err = x.spent(); err != nil {
			return err
		}
		time.Sleep(o.Duration - o.WarmUp)
		after, err = x.spent()
		return err
	})
	r, err = infer(ctx, client, inputs, o)
	if err := errors.Join(err, group.Wait()); err != nil {
		return r, nil, err
	}
	for i := range before {
		seconds = append(seconds, (after[i]-before[i]).Seconds()/float64(r.Answered))
	}
	return r, seconds, nil
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
