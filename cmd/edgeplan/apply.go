package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const applyHelp = `[options]

Makes a plan, shows it, asks, and carries it out: pushes what devices lack,
starts the new release beside the old one, checks it with an inference, switches
over and records every step. When a step fails the old release goes on serving,
and the next apply continues.

Examples:
  edgeplan apply
  edgeplan apply -auto-approve
`

// approval are the options of commands that change devices.
type approval struct {
	auto        bool
	input       bool
	lockTimeout time.Duration
}

func (a *approval) add(flags *flag.FlagSet) {
	flags.BoolVar(&a.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&a.input, "input", true, "-input=false fails instead of asking")
	flags.DurationVar(&a.lockTimeout, "lock-timeout", 0, "wait for the lock of the state for this `duration`, as 30s")
}

func runApply(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("apply", flag.ContinueOnError)
	var options planFlags
	var approve approval
	options.add(c, flags)
	approve.add(flags)
	if err := c.parseNone(flags, applyHelp, args); err != nil {
		return err
	}
	return c.withState(ctx, "apply", approve, func(states *statefile.Manager, prior *statefile.State) error {
		p, err := c.makePlan(ctx, options, prior)
		if err != nil {
			return err
		}
		if p.Empty() {
			c.printUnchanged(p)
			return c.recordUnchanged(p, states)
		}
		c.printPlan(p)
		return c.carryOut(ctx, p, states, approve, "Do you want to perform these actions?", "Apply complete!")
	})
}

// withState runs a change of the state under its lock.
func (c *cli) withState(ctx context.Context, operation string, a approval, change func(*statefile.Manager, *statefile.State) error) error {
	states, err := c.state(ctx)
	if err != nil {
		return err
	}
	return c.locked(ctx, states, operation, a.lockTimeout, func() error {
		prior, err := states.Load(ctx)
		if err != nil {
			return err
		}
		return change(states, prior)
	})
}

// locked runs do under the lock of the state.
func (c *cli) locked(ctx context.Context, states *statefile.Manager, operation string, timeout time.Duration, do func() error) error {
	lock, err := states.Lock(ctx, statefile.LockOptions{
		Operation: operation,
		Timeout:   timeout,
		Waiting: func(holder statefile.LockInfo) {
			c.notef("Waiting for the lock of the state, held by %s (%s)…", holder.Who, holder.Operation)
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(do(), lock.Unlock())
}

// recordUnchanged keeps predictions and outputs that changed without anything
// to do on devices.
func (c *cli) recordUnchanged(p *plan.Plan, states *statefile.Manager) error {
	if p.SameState() {
		return nil
	}
	if err := states.Record(p.Desired); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s The state was brought up to date.\n", c.paint(c.stdout, green, "Apply complete!"))
	c.printOutputs(p.Desired)
	return nil
}

// carryOut asks and applies.
func (c *cli) carryOut(ctx context.Context, p *plan.Plan, states *statefile.Manager, a approval, question, done string) error {
	if !a.auto && !a.input {
		return errors.New("approval is needed and -input=false forbids asking: give -auto-approve")
	}
	if !a.auto {
		if err := c.approve(ctx, question); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := deployer.Apply(ctx, p, states, c.deployOptions()); err != nil {
		return err
	}
	added, changed, destroyed := tally(p.Changes)
	fmt.Fprintf(c.stdout, "\n%s %d added, %d changed, %d destroyed, in %s.\n",
		c.paint(c.stdout, green, done), added, changed, destroyed, time.Since(start).Round(100*time.Millisecond))
	c.printOutputs(p.Desired)
	return nil
}

// deployOptions is how devices are reached, with progress on standard error.
func (c *cli) deployOptions() deployer.Options {
	return deployer.Options{Progress: c.progress}
}
