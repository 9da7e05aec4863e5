package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/solver"
)

// With -simulate every pipeline is also simulated, under the loads that it really gets, and
// the rows end in simulated/measured, twice. What messages (hop.go) and engines (engine.go) take
// of a processor is measured before, each by itself. On a machine that other programs use, the
// same instructions take longer at one time than at another, so the second simulation has
// what each worker really spent on a request of that load: it leaves only the pipeline to compare.

// simulatedSeed is of the arrivals of open loops, which are the same here and there.
const simulatedSeed = 1

// checkedRequests are those of each load, of which a tenth is warm-up, unless they take longer
// than checkedSeconds.
const (
	checkedRequests = 1120
	checkedSeconds  = 30
)

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
