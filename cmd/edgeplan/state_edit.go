package main

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"strings"

	"github.com/edgeplan/edgeplan/statefile"
)

const stateRemoveHelp = `[options] ADDRESS...

Makes edgeplan forget nodes and models. What runs on the devices goes on running,
and nobody looks after it any more: to remove it for good take it out of the
configuration and apply, or destroy.

Examples:
  edgeplan state rm 'node.pi["roof"]' model.resnet50
  edgeplan state rm -dry-run model.resnet50
`

func runStateRemove(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("state rm", flag.ContinueOnError)
	dry := flags.Bool("dry-run", false, "say what would be forgotten, and forget nothing")
	timeout := lockFlag(flags)
	addresses, err := c.parse(flags, stateRemoveHelp, args)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return fmt.Errorf("edgeplan state rm takes addresses to forget: `edgeplan state list` lists them")
	}
	forget := func(state *statefile.State) error {
		for _, address := range addresses {
			if err := known(state, address); err != nil {
				return err
			}
		}
		return statefile.Remove(state, addresses)
	}
	if *dry {
		return c.dryRemove(ctx, addresses, forget)
	}
	if err := c.changeState(ctx, "state rm", *timeout, forget); err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Fprintf(c.stdout, "Forgot %s.\n", address)
	}
	return nil
}

func (c *cli) dryRemove(ctx context.Context, addresses []string, forget func(*statefile.State) error) error {
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	if err := forget(state); err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Fprintf(c.stdout, "Would forget %s.\n", address)
	}
	return nil
}

const stateMoveHelp = `[options] FROM TO

Gives a node another address, so that a block that is renamed in the configuration
stays the same device. A model keeps its name: the folders on its devices have it.

Examples:
  edgeplan state mv 'node.pi["hall"]' 'node.pi["lobby"]'
  edgeplan state mv node.hall 'node.pi["hall"]'
`

func runStateMove(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("state mv", flag.ContinueOnError)
	timeout := lockFlag(flags)
	addresses, err := c.parse(flags, stateMoveHelp, args)
	if err != nil {
		return err
	}
	if len(addresses) != 2 {
		return fmt.Errorf("edgeplan state mv takes the address there is and the new one, and %d were given", len(addresses))
	}
	from, to := addresses[0], addresses[1]
	err = c.changeState(ctx, "state mv", *timeout, func(state *statefile.State) error {
		if err := known(state, from); err != nil {
			return err
		}
		if err := canMove(from, to); err != nil {
			return err
		}
		return statefile.MoveNode(state, from, to)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "Moved %s to %s.\n", from, to)
	return nil
}

// nodeAddress is node.NAME, with an instance key where it has one.
var nodeAddress = regexp.MustCompile(`^node\.[A-Za-z_][A-Za-z0-9_-]*(\["(?:[^"\\]|\\.)*"\]|\[[0-9]+\])?$`)

func canMove(from, to string) error {
	if !strings.HasPrefix(from, "node.") {
		return fmt.Errorf("%s cannot be moved: on the devices its folders are named after the model. Rename it in the configuration and apply: "+
			"the new one is deployed and the old one removed, and what the devices have already does not travel again", from)
	}
	if !nodeAddress.MatchString(to) {
		return fmt.Errorf("%s is no address of a node: write node.NAME, node.NAME[\"KEY\"] or node.NAME[0]", to)
	}
	return nil
}
