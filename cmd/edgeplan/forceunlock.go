package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/statefile"
)

const forceUnlockHelp = `[options] ID

Gives back the lock of the state that a killed run left. The message about a held
lock names its ID. Make sure first that the run has really ended: two at once can
break a deployment. The lock of a state that is a file ends with its run by itself.

With -node it gives back the lease of one device instead, which ends by itself two
minutes after its run died; ` + "`edgeplan doctor`" + ` names its ID.

Examples:
  edgeplan force-unlock 2f9d9b3c-0e0b-4a4e-9a53-7d3c1d1b8f10
  edgeplan force-unlock -force 2f9d9b3c-0e0b-4a4e-9a53-7d3c1d1b8f10
  edgeplan force-unlock -node 'node.pi["hall"]' 6b1c0e2f9a7d4c35
`

func runForceUnlock(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("force-unlock", flag.ContinueOnError)
	force := flags.Bool("force", false, "do not ask")
	node := flags.String("node", "", "give back the lease of this `device`, as node.pi[\"hall\"]")
	var vars variables
	vars.add(flags)
	ids, err := c.parse(flags, forceUnlockHelp, args)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return fmt.Errorf("edgeplan force-unlock takes the ID of one lock, and %d were given: the message about a held lock names it", len(ids))
	}
	states, err := c.state(ctx)
	if err != nil {
		return err
	}
	if *node != "" {
		return c.breakLease(ctx, states, vars, *node, ids[0], *force)
	}
	if !*force {
		question := fmt.Sprintf("Do you really want to take the lock of %s away from its run?", states.Location())
		if err := c.approve(ctx, question); err != nil {
			return err
		}
	}
	if err := unlockError(states.ForceUnlock(ctx, ids[0]), ids[0]); err != nil {
		return fmt.Errorf("%s: %w", states.Location(), err)
	}
	fmt.Fprintln(c.stdout, "The lock was given back.")
	return nil
}

// breakLease takes the lease of a device from the run that holds it.
func (c *cli) breakLease(ctx context.Context, states *statefile.Manager, vars variables, node, id string, force bool) error {
	prior, err := c.load(ctx, states)
	if err != nil {
		return err
	}
	nodes := prior.Nodes
	if cfg, err := c.loadConfig(vars); err == nil {
		nodes = knownNodes(cfg, prior)
	}
	known, ok := nodes[node]
	if !ok {
		return fmt.Errorf("there is no %s: neither the configuration nor the state has it", node)
	}
	if !force {
		question := fmt.Sprintf("Do you really want to take the lease of %s away from its run?", node)
		if err := c.approve(ctx, question); err != nil {
			return err
		}
	}
	if err := deployer.BreakLease(ctx, node, known, id, c.deployOptions()); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "The lease of %s was given back.\n", node)
	return nil
}

// unlockError says why a lock was not given back.
func unlockError(err error, id string) error {
	var held *statefile.LockError
	switch {
	case errors.Is(err, statefile.ErrNotLocked):
		return fmt.Errorf("%w: there is nothing to give back", err)
	case errors.As(err, &held) && held.Info.ID == id:
		return fmt.Errorf("the run that holds the lock is alive (`edgeplan %s` of %s): end that run, and the lock ends with it", held.Info.Operation, held.Info.Who)
	case errors.As(err, &held) && held.Info.ID != "":
		return fmt.Errorf("the lock has another ID: `edgeplan %s` of %s holds it with %s since %s",
			held.Info.Operation, held.Info.Who, held.Info.ID, held.Info.Created.Local().Format("2006-01-02 15:04:05"))
	case errors.As(err, &held):
		return fmt.Errorf("the lock has another ID than %s: the message about a held lock names it", id)
	}
	return err
}
