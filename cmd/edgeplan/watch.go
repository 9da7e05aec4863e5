package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"time"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/watching"
)

const watchHelp = `[options]

Looks at the devices every few seconds. When one is gone for longer than -grace,
or its worker stays ill, it makes a plan without it (or one that repairs it), as
` + "`edgeplan apply -exclude`" + ` would, and shows it; with -auto-approve it carries the plan
out. Once the device has been back steadily for -settle, it takes it in again.
It never changes more than once in -period, believes a device that comes and goes
ever more slowly, and tries again ever more rarely what fails.

It carries out nothing but what is deployed: where the configuration asks for
something that was not applied yet, it waits for that apply. It takes the lock of
the state only while it applies, and takes in what others apply meanwhile.

-min-throughput also looks at how much is answered under load: where that stays
below the share of the prediction, it leaves out the device whose stage takes so
long, and where no stage does, it measures the links of the pipeline anew, as
` + "`edgeplan probe`" + ` does, into measurements.edgeplan.json, and plans with that. Use it
once the predictions were measured. docs/watch.md says more, also what to do at
two in the morning.

Examples:
  edgeplan watch                    # says what it would do
  edgeplan watch -auto-approve -log watch.log -metrics 127.0.0.1:9464
  edgeplan watch -auto-approve -print-unit >edgeplan-watch.service

Exit codes: 0 ended by a signal, 1 error; an apply that a signal ends as well.
`

// watchFlags are the options of watch.
type watchFlags struct {
	plan     planFlags
	auto     bool
	interval time.Duration
	settings watching.Settings
	least    float64 // share of the prediction; 0 does not look
	measure  bool
	traffic  string
	log      string
	metrics  string
	unit     bool
}

func (f *watchFlags) add(c *cli, flags *flag.FlagSet) {
	f.plan.vars.add(flags)
	flags.Var(&f.plan.exclude, "exclude", "leave out the device with this `ADDRESS` all the time; may be repeated")
	flags.BoolVar(&f.auto, "auto-approve", false, "carry plans out")
	flags.DurationVar(&f.interval, "interval", 5*time.Second, "look at the devices once in this `TIME`")
	flags.DurationVar(&f.settings.Grace, "grace", 30*time.Second, "how long a device is gone, or its worker ill, before something is done: `TIME`")
	flags.DurationVar(&f.settings.Settle, "settle", time.Minute, "how long a device is back before it is used again: `TIME`; doubles when it keeps leaving")
	flags.DurationVar(&f.settings.Period, "period", 2*time.Minute, "change at most once in this `TIME`")
	flags.Float64Var(&f.least, "min-throughput", 0, "do something about a pipeline that stays below this `SHARE` of the prediction, as 0.7; 0 does not look")
	flags.DurationVar(&f.settings.Slow, "for", time.Minute, "how long that lasts before something is done: `TIME`")
	flags.BoolVar(&f.measure, "measure", true, "measure the links of such a pipeline anew; -measure=false does not")
	flags.StringVar(&f.traffic, "link-traffic", quantity.FormatBytes(8<<20), "send at most `BYTES` over each direction of a link for that")
	flags.StringVar(&f.log, "log", "", "append what happens to `FILE`, an event a line as JSON; at 10 MiB it becomes FILE.1")
	flags.StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics at this `ADDRESS`, as 127.0.0.1:9464")
	flags.BoolVar(&f.unit, "print-unit", false, "print a systemd unit that runs this command, and end")
	flags.IntVar(&c.parallelism, "parallelism", defaultParallelism, "work on at most `N` devices at once")
}

// check refuses what would not do what it looks like.
func (f *watchFlags) check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"interval", f.interval, 100 * time.Millisecond}, {"grace", f.settings.Grace, f.interval},
		{"settle", f.settings.Settle, f.interval}, {"period", f.settings.Period, f.interval}, {"for", f.settings.Slow, f.interval},
	} {
		if d.value < d.least {
			return fmt.Errorf("-%s=%s: write %s or more; devices are looked at once in -interval", d.name, d.value, d.least)
		}
	}
	if !(f.least >= 0 && f.least < 1) {
		return fmt.Errorf("-min-throughput=%v: write a share of the prediction between 0 and 1, as 0.7", f.least)
	}
	if _, _, err := net.SplitHostPort(f.metrics); f.metrics != "" && err != nil {
		return fmt.Errorf("-metrics=%s: write an address and a port, as 127.0.0.1:9464", f.metrics)
	}
	if _, err := quantity.ParseBytes(f.traffic); err != nil {
		return fmt.Errorf("-link-traffic: %w", err)
	}
	if f.least == 0 {
		f.settings.Slow = 0
	} else if f.measure {
		f.settings.Again = measureAgain
	}
	f.settings.Gap = 2*f.interval + answerLimit(f.interval)
	return nil
}

// answerLimit is how long a device may take to answer.
func answerLimit(interval time.Duration) time.Duration { return max(interval, 3*time.Second) }

func runWatch(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	var f watchFlags
	f.add(c, flags)
	if err := c.parseNone(flags, watchHelp, args); err != nil {
		return err
	}
	if err := errors.Join(f.check(), f.plan.check(c)); err != nil {
		return err
	}
	if f.unit {
		return c.printWatchUnit(ctx, args, f.log)
	}
	c.input = false // nobody is there to be asked
	w, err := c.newWatch(ctx, f)
	if err != nil && ctx.Err() != nil {
		return nil // ended before it began, as when the machine shuts down
	}
	if err != nil {
		return err
	}
	defer w.close()
	return w.run(ctx)
}
