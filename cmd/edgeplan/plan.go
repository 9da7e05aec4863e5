package main

import (
	"context"
	"flag"
)

const planHelp = `[options]

Computes the best partition and placement of every model, and shows it with
what would change on the devices. It changes nothing. Devices are asked only
for what the configuration and the state do not say.

Examples:
  edgeplan plan
  edgeplan plan -var fps=15 -detailed-exitcode
  edgeplan plan -explain      # what limits the throughput, and what would help
`

func runPlan(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	var options planFlags
	options.add(c, flags)
	flags.BoolVar(&options.explain, "explain", false, "also say how busy every resource is, and what would help most; solves many changed problems")
	detailed := flags.Bool("detailed-exitcode", false, "exit with 2 when there are changes")
	if err := c.parseNone(flags, planHelp, args); err != nil {
		return err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	p, err := c.makePlan(ctx, options, state)
	if err != nil {
		return err
	}
	c.printPlan(p)
	if *detailed && !p.SameState() {
		return exitStatus(exitChanges)
	}
	return nil
}
