package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/statefile"
)

const destroyHelp = `[options]

Stops the workers of every deployed model and removes what edgeplan put on the
devices. Works from the state alone, also when the configuration is gone. It is
` + "`edgeplan apply -destroy`" + `; ` + "`edgeplan plan -destroy`" + ` shows what it would do.

Examples:
  edgeplan destroy
  edgeplan destroy -target model.resnet50
  edgeplan destroy -exclude 'node.pi["roof"]'  # the state remembers what is there
`

func runDestroy(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("destroy", flag.ContinueOnError)
	options := planFlags{destroy: true}
	var approve approval
	approve.add(c, flags)
	options.addShared(c, flags)
	options.addUnused(flags)
	if err := c.parseNone(flags, destroyHelp, args); err != nil {
		return err
	}
	if err := options.check(c); err != nil {
		return err
	}
	c.leaseWait = options.lock.timeout
	return c.withState(ctx, "destroy", options.lock, func(states *statefile.Manager, prior *statefile.State) error {
		p, err := c.makePlan(ctx, options, prior)
		if err != nil {
			return err
		}
		if p.Empty() {
			fmt.Fprintln(c.stdout, "Nothing is deployed: there is nothing to destroy.")
			return nil
		}
		c.printPlan(p)
		return c.carryOut(ctx, p, states, approve)
	})
}
