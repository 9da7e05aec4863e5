package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/edgeplan/edgeplan/statefile"
)

const statePullHelp = `[options]

Prints the state as it is kept, byte by byte, also when it is damaged.

Examples:
  edgeplan state pull > before.json
`

func runStatePull(ctx context.Context, c *cli, args []string) error {
	if err := c.parseNone(flag.NewFlagSet("state pull", flag.ContinueOnError), statePullHelp, args); err != nil {
		return err
	}
	states, err := c.state(ctx)
	if err != nil {
		return err
	}
	content, err := states.Pull(ctx)
	if err != nil {
		return err
	}
	if content == nil {
		c.notef("%s There is no state yet in %s.", c.paint(c.stderr, yellow, "Note:"), states.Location())
	}
	_, err = c.stdout.Write(content)
	return err
}

const statePushHelp = `[options] FILE

Puts the state in a file, or on standard input with -, in the place of the one
that is kept. It refuses a state of another lineage or with an older serial, unless
-force is given; a state forced over newer ones gets the next serial.

Examples:
  edgeplan state push errored.edgeplan.state.json
  edgeplan state pull | edgeplan -chdir=../copy state push -
`

func runStatePush(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("state push", flag.ContinueOnError)
	force := flags.Bool("force", false, "push also an older serial or another lineage")
	timeout := lockFlag(flags)
	files, err := c.parse(flags, statePushHelp, args)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("edgeplan state push takes one file, or - for standard input, and %d were given", len(files))
	}
	pushed, err := c.readState(files[0])
	if err != nil {
		return err
	}
	states, err := c.state(ctx)
	if err != nil {
		return err
	}
	err = c.locked(ctx, states, "state push", *timeout, func() error { return states.Push(ctx, pushed, *force) })
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s now holds serial %d of lineage %s.\n", states.Location(), pushed.Serial, pushed.Lineage)
	return nil
}

// readState reads a state from a file of the folder, or from standard input.
func (c *cli) readState(name string) (*statefile.State, error) {
	if name == "-" {
		content, err := io.ReadAll(io.LimitReader(c.stdin, statefile.MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("read the state from standard input: %w", err)
		}
		return statefile.Parse("standard input", content)
	}
	path := name
	if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, name) // the name that messages give
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the state to push: %w", err)
	}
	return statefile.Parse(name, content)
}
