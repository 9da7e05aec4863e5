package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const destroyHelp = `[options]

Stops the workers of every deployed model and removes what edgeplan put on the
devices. Works from the state alone, also when the configuration is gone.
`

func runDestroy(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("destroy", flag.ContinueOnError)
	var approve approval
	approve.add(flags)
	c.addNoColor(flags)
	if err := c.parseNone(flags, destroyHelp, args); err != nil {
		return err
	}
	return c.withState(ctx, "destroy", approve, func(states *statefile.Manager, prior *statefile.State) error {
		if len(prior.Models) == 0 && len(prior.Nodes) == 0 {
			fmt.Fprintln(c.stdout, "Nothing is deployed: there is nothing to destroy.")
			return nil
		}
		p := plan.Destroy(prior)
		c.printPlan(p)
		return c.carryOut(ctx, p, states, approve, "Do you really want to destroy all of this? There is no undo.", "Destroy complete!")
	})
}
