package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/simulation"
	"github.com/edgeplan/edgeplan/plan"
)

const simulateHelp = `[options] [PLAN]

Runs the pipelines of a plan in a simulation, and shows the throughput, the
latencies and the queues that they would have: of clusters that nobody owns yet,
under a load, with times that vary, and while devices are away. Nothing is sent
anywhere. The tables are those of ` + "`edgeplan bench`" + `, to be laid side by side.

The plan is that of the folder, as ` + "`edgeplan plan -refresh=false`" + ` makes it, or PLAN, a
file of ` + "`edgeplan plan -out`" + `. With -problem it is the solution of a problem file of
` + "`edgeplan solve`" + `, searched for here or read with -solution.

Without -rate the loops are closed: a new request follows each answer, with
-concurrency of them under way for each model. With -rate they are open: requests
come at that rate whether or not earlier ones are answered. The first tenth of a
run is warm-up and does not count. The same seed gives the same result.

docs/simulate.md of edgeplan says what is simulated, and how near it comes to real
pipelines.

Examples:
  edgeplan simulate
  edgeplan simulate -rate 20 -jitter 10% monday.plan
  edgeplan simulate -duration 5m -lose 'node.pi["hall"]@1m+30s'   # away for 30 s
  edgeplan simulate -problem thousand.json -json | jq '.models[].latency_seconds'
`

// simulateFlags are the options of simulate.
type simulateFlags struct {
	vars     variables
	targets  list
	problem  problemFlags
	load     simulateLoad
	jitter   *float64 // nil leaves it to the measurements
	losses   []loss
	seed     uint64
	duration time.Duration
	requests int
	asJSON   bool
}

// defaultRequests are simulated where nothing else ends a run.
const defaultRequests = 10_000

func (f *simulateFlags) add(flags *flag.FlagSet) {
	f.vars.add(flags)
	flags.Var(&f.targets, "target", "send requests only to the model with this `ADDRESS`, as model.resnet50; may be repeated")
	f.problem.add(flags)
	f.load.add(flags)
	flags.Func("jitter", "let times of engines and transfers vary by this `SHARE`, as 10%: their standard deviation; default: as `probe` measured engines", f.setJitter)
	flags.Func("lose", "let a device be away: `NODE@TIME+TIME`, from when on and for how long; may be repeated", f.addLoss)
	flags.Uint64Var(&f.seed, "seed", 1, "draw arrivals and jitter from `SEED`")
	flags.DurationVar(&f.duration, "duration", 0, "simulate this `TIME`")
	flags.IntVar(&f.requests, "requests", 0, fmt.Sprintf("simulate `COUNT` requests of all models together; default %d", defaultRequests))
	flags.BoolVar(&f.asJSON, "json", false, "print the result as JSON")
}

func runSimulate(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	var f simulateFlags
	f.add(flags)
	positional, err := c.parse(flags, simulateHelp, args)
	if err != nil {
		return err
	}
	if err := f.check(positional); err != nil {
		return err
	}
	s, err := c.simulated(ctx, &f, positional)
	if err != nil {
		return err
	}
	if err := s.prepare(&f); err != nil {
		return err
	}
	result, err := simulation.Run(ctx, &s.system, f.options())
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	if !f.asJSON {
		c.printSimulation(s, &f, result)
	} else if err := c.printJSON(newSimulationJSON(s, &f, result)); err != nil {
		return err
	}
	return unanswered(result)
}

// unanswered says that a run was too short to tell anything.
func unanswered(r *simulation.Result) error {
	for _, m := range r.Models {
		if m.Answered+m.Failed > 0 {
			return nil
		}
	}
	return fmt.Errorf("no request was answered in the %s that count: give it a longer -duration, or more -requests", quantity.FormatSeconds(r.Seconds))
}

// options are the limits of the run; losses without one are followed until their end as
// long again.
func (f *simulateFlags) options() simulation.Options {
	o := simulation.Options{Seed: f.seed, Seconds: f.duration.Seconds(), Requests: f.requests}
	if o.Seconds > 0 || o.Requests > 0 {
		return o
	}
	for _, l := range f.losses {
		o.Seconds = max(o.Seconds, 2*(l.at+l.away).Seconds())
	}
	if o.Seconds == 0 {
		o.Requests = defaultRequests
	}
	return o
}

// simulated is what the command line asks for as a system.
func (c *cli) simulated(ctx context.Context, f *simulateFlags, files []string) (*simulated, error) {
	if f.problem.path != "" {
		return f.problem.simulated(ctx)
	}
	p, err := c.planToSimulate(ctx, f, files)
	if err != nil {
		return nil, err
	}
	return simulatedPlan(p)
}

func (c *cli) planToSimulate(ctx context.Context, f *simulateFlags, files []string) (*plan.Plan, error) {
	if len(files) == 1 {
		return c.readPlan(files[0])
	}
	prior, err := c.loadState(ctx)
	if err != nil {
		return nil, err
	}
	return c.makePlan(ctx, planFlags{vars: f.vars, offline: true}, prior)
}
