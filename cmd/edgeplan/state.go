package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/suggest"
	"github.com/edgeplan/edgeplan/statefile"
)

const stateHelp = `<subcommand> [options]

Looks into the state and mends it. What runs on devices does not change by it.

Subcommands:
  list    List the addresses of everything in the state
  show    Show one node, model or slice
  mv      Give a node another address
  rm      Forget nodes and models, and leave what is on the devices
  pull    Print the state as it is kept
  push    Put a state in the place of the one that is kept

Examples:
  edgeplan state list
  edgeplan state show 'node.pi["hall"]'
  edgeplan state pull > before.json
`

// stateCommands are the subcommands of state.
func stateCommands() []command {
	return []command{
		{"list", "List the addresses of everything in the state", runStateList},
		{"show", "Show one node, model or slice", runStateShow},
		{"mv", "Give a node another address", runStateMove},
		{"rm", "Forget nodes and models, and leave what is on the devices", runStateRemove},
		{"pull", "Print the state as it is kept", runStatePull},
		{"push", "Put a state in the place of the one that is kept", runStatePush},
	}
}

func runState(ctx context.Context, c *cli, args []string) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		var names []string
		for _, sub := range stateCommands() {
			if sub.name == args[0] {
				return sub.run(ctx, c, args[1:])
			}
			names = append(names, sub.name)
		}
		return fmt.Errorf("edgeplan state has no subcommand %q. %s", args[0], suggest.Sentence(args[0], names, "subcommand"))
	}
	if err := c.parseNone(flag.NewFlagSet("state", flag.ContinueOnError), stateHelp, args); err != nil {
		return err
	}
	return errors.New("edgeplan state needs a subcommand: list, show, mv, rm, pull or push. `edgeplan state -help` explains them")
}

// lockFlag adds -lock-timeout.
func lockFlag(flags *flag.FlagSet) *time.Duration {
	return flags.Duration("lock-timeout", 0, "wait for the lock of the state for this `TIME`, as 30s")
}

// known refuses an address that nothing in the state has.
func known(state *statefile.State, address string) error {
	if statefile.Find(state, address) != nil {
		return nil
	}
	return fmt.Errorf("the state has no %s. %s", address, suggest.Sentence(address, statefile.Addresses(state), "address"))
}

// changeState loads the state under its lock, changes and records it.
func (c *cli) changeState(ctx context.Context, operation string, timeout time.Duration, change func(*statefile.State) error) error {
	return c.withState(ctx, operation, locking{timeout: timeout}, func(states *statefile.Manager, state *statefile.State) error {
		if err := change(state); err != nil {
			return err
		}
		return states.Record(state)
	})
}
