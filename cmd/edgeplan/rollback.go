package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const rollbackHelp = `[options] [MODEL]

Brings a model back to the release before the deployed one, from the files that
its devices have kept: nothing is uploaded. It is the same switch as apply's: the
earlier release starts beside the deployed one where memory allows, answers a
check, and takes over; when a step fails, the deployed one goes on serving. A
second rollback undoes the first. MODEL may be left out where only one has an
earlier release.

Works also when the configuration cannot be read; then the deployed release stops
first. The configuration still says what it said: change it before the next apply,
which would deploy that again. keep_releases in the edgeplan block says how many
releases devices keep.

Examples:
  edgeplan rollback
  edgeplan rollback resnet50
  edgeplan rollback -auto-approve model.resnet50
`

func runRollback(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("rollback", flag.ContinueOnError)
	var options planFlags
	var approve approval
	options.vars.add(flags)
	approve.add(c, flags)
	options.lock.add(flags)
	flags.IntVar(&c.parallelism, "parallelism", defaultParallelism, "work on at most `N` devices at once")
	names, err := c.parse(flags, rollbackHelp, args)
	if err != nil {
		return err
	}
	if err := options.check(c); err != nil {
		return err
	}
	if len(names) > 1 {
		return fmt.Errorf("edgeplan rollback takes one model, and %d were given: %s", len(names), strings.Join(names, ", "))
	}
	c.leaseWait = options.lock.timeout
	return c.withState(ctx, "rollback", options.lock, func(states *statefile.Manager, prior *statefile.State) error {
		name, err := rollbackModel(names, prior)
		if err != nil {
			return err
		}
		p, err := c.makeRollback(options, prior, name)
		if err != nil {
			return err
		}
		c.printRollback(p, name)
		return c.carryOut(ctx, p, states, approve)
	})
}

// rollbackModel is the model that is meant.
func rollbackModel(names []string, prior *statefile.State) (string, error) {
	if len(names) == 1 {
		return strings.TrimPrefix(names[0], "model."), nil
	}
	able := sortedKeys(prior.Earlier)
	switch {
	case len(able) == 1:
		return able[0], nil
	case len(able) > 1:
		return "", fmt.Errorf("several models have an earlier release: name one of %s", strings.Join(able, ", "))
	}
	return "", fmt.Errorf("%w of any model: there is nothing to go back to", plan.ErrNoEarlier)
}

// makeRollback plans with the configuration where it can be read.
func (c *cli) makeRollback(options planFlags, prior *statefile.State, name string) (*plan.Plan, error) {
	input := plan.Input{Prior: prior, Version: version.Version}
	cfg, err := c.loadConfig(options.vars)
	if err != nil {
		c.warnf("the configuration cannot be read: going on from the state alone.")
	} else {
		input.Config = cfg
	}
	p, diags, err := plan.Rollback(input, name)
	if err != nil {
		return nil, err
	}
	if input.Config != nil {
		return p, c.check(diags, cfg.Sources)
	}
	return p, nil
}

// printRollback shows both releases and what would change.
func (c *cli) printRollback(p *plan.Plan, name string) {
	from, to := p.Prior.Models[name], p.Desired.Models[name]
	c.printWrapped(c.paint(c.stdout, bold, "model."+name)+": ", 2, fmt.Sprintf("release %s -> %s, the one before", from.Release, to.Release))
	fmt.Fprintln(c.stdout)
	c.printPlan(p)
}
