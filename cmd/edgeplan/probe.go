package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/edgeplan/edgeplan/internal/measurement"
	"github.com/edgeplan/edgeplan/internal/probe"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

const probeHelp = `[options]

Measures the devices of the configuration, the links between them, and how long
each part of a model takes on each kind of device, with the worker and the engine
themselves, over SSH. Writes measurements.edgeplan.json, sorted, one line a value:
it belongs in version control, and plans are made from it.

What was measured within a day is left as it is, so a run that was interrupted
goes on where it stopped. Everything is written as soon as it is known.

What is deployed goes on serving, and is not touched. Measure while nothing else
uses the devices: what runs beside is measured along with it.

-only limits what is measured, and may be repeated: nodes, links or profiles; the
address of a node (node.pi["hall"]), of all its kind (node.pi), or of a model
(model.resnet50).

Examples:
  edgeplan probe
  edgeplan probe -only links
  edgeplan probe -only links -only 'node.pi["hall"]' -again
  edgeplan probe -only model.resnet50 -max-age 168h

Exit codes: 0 all was measured, 1 something was not (the rest is written).
`

// probeFlags are the options of probe.
type probeFlags struct {
	vars      variables
	only      list
	again     bool
	maxAge    time.Duration
	traffic   string
	rangeTime time.Duration
	asJSON    bool
}

func (f *probeFlags) add(c *cli, flags *flag.FlagSet) {
	f.vars.add(flags)
	flags.Var(&f.only, "only", "measure nodes, links, profiles, or what has to do with an `ADDRESS`; may be repeated")
	flags.BoolVar(&f.again, "again", false, "measure also what was measured a short time ago")
	flags.DurationVar(&f.maxAge, "max-age", 24*time.Hour, "leave what was measured within this `TIME`")
	flags.StringVar(&f.traffic, "link-traffic", quantity.FormatBytes(probe.DefaultLimits().Bytes), "send at most `BYTES` over each direction of a link")
	flags.DurationVar(&f.rangeTime, "range-time", 5*time.Second, "run each range of a model for at most this `TIME` in a pass")
	flags.BoolVar(&f.asJSON, "json", false, "print what was measured and what changed as JSON")
	flags.DurationVar(&c.leaseWait, "lock-timeout", 0, "wait for leases of devices that others hold for this `TIME`, as 30s")
	flags.IntVar(&c.parallelism, "parallelism", defaultParallelism, "connect to at most `N` devices at once")
}

func runProbe(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	var f probeFlags
	f.add(c, flags)
	if err := c.parseNone(flags, probeHelp, args); err != nil {
		return err
	}
	if f.rangeTime <= 0 || f.maxAge < 0 {
		return errors.New("-range-time must be more than 0 and -max-age not negative, as in -range-time 2s")
	}
	p, err := c.newProbing(ctx, f)
	if err != nil {
		return err
	}
	unlock, err := c.lockProbe()
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.begin(ctx); err != nil {
		return err
	}
	err = p.run(ctx)
	if shown := p.show(f.asJSON); shown != nil {
		err = errors.Join(err, shown)
	}
	return err
}

// lockProbe lets one probe of a folder run at a time.
func (c *cli) lockProbe() (unlock func(), err error) {
	lock := flock.New(filepath.Join(c.workDir(), "probe.lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", lock.Path(), err)
	}
	if !held {
		return nil, errors.New("another `edgeplan probe` runs in this folder: wait until it has ended")
	}
	return func() { _ = lock.Close() }, nil
}

// fresh says whether something was measured a short time ago, by this machine's clock;
// a time to come is none.
func (p *probing) fresh(measured time.Time) bool {
	age := p.now().Sub(measured)
	return !p.flags.again && age >= 0 && age < p.flags.maxAge
}

func (p *probing) now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// path of the file of measurements.
func (c *cli) measurementsPath() string { return filepath.Join(c.dir, measurement.FileName) }
