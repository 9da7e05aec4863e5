package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/quantity"
)

const initHelp = `[options]

Collects into .edgeplan what the devices need: the worker and ONNX Runtime for
every architecture of the configuration (all of them where a node does not say
its own), and ONNX Runtime for this machine. Each is pinned by its sha256 digest
in .edgeplan.lock.hcl, which belongs in version control.

The engine comes from the configuration (edgeplan { engines = {...} }) or
EDGEPLAN_ONNXRUNTIME, else from the per-user cache, else from the npm package
onnxruntime-node with the npm client. The worker lies beside the executable, or
is built with the Go toolchain.

Where the state is kept is what edgeplan { backend "TYPE" {...} } says: local, http
or s3; without a block it is edgeplan.state.json beside the configuration. init
remembers it in .edgeplan/backend.json, without passwords and keys: those come from
the environment (EDGEPLAN_HTTP_PASSWORD, AWS_SECRET_ACCESS_KEY), a profile, or a
file given with -backend-config, each time. When the place changes, -migrate-state
takes the state along.

Examples:
  edgeplan init
  edgeplan init -upgrade      # accept other files than the lock names
  edgeplan init -backend-config=bucket=states -backend-config=secrets.hcl
  edgeplan init -migrate-state
`

func runInit(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("init", flag.ContinueOnError)
	var vars variables
	vars.add(flags)
	var move migration
	move.add(flags)
	upgrade := flags.Bool("upgrade", false, "accept files whose digest differs from the lock")
	if err := c.parseNone(flags, initHelp, args); err != nil {
		return err
	}
	cfg, err := c.loadConfig(vars)
	if err != nil {
		return err
	}
	if err := c.initBackend(ctx, move); err != nil {
		return err
	}
	options := artifact.FromEnvironment()
	options.ConfiguredPaths = cfg.Settings.Engines
	options.Upgrade = *upgrade
	options.Progress = func(text string) { c.notef("%s", text) }
	_, actions, err := artifact.Collect(ctx, c.dir, platforms(cfg), options)
	if err != nil {
		return err
	}
	c.printCollected(actions)
	return nil
}

func (c *cli) printCollected(actions []artifact.Action) {
	rows := [][]string{{"what", "for", "", "version", "size", "sha256"}}
	for _, action := range actions {
		a := action.Artifact
		if action.Status == artifact.Unavailable {
			c.notef("%s There is no ONNX Runtime for %s: such a node can be a gateway, but no slice is placed on it.",
				c.paint(c.stderr, yellow, "Warning:"), a.Platform)
			continue
		}
		rows = append(rows, []string{string(a.Kind), a.Platform, string(action.Status), a.Version, quantity.FormatBytes(a.Size), a.Digest[:16] + "…"})
	}
	printTable(c.stdout, rows)
	fmt.Fprintf(c.stdout, "\n%s The next step is `edgeplan plan`.\n", c.paint(c.stdout, green, "edgeplan is initialised."))
}

// platforms are the architectures of the enabled nodes; a node that does not
// say its own may be any.
func platforms(cfg *config.Config) []string {
	wanted := map[string]bool{}
	for _, node := range cfg.Nodes {
		switch {
		case !node.Enabled:
		case node.Architecture != "":
			wanted[node.Architecture] = true
		default:
			for _, architecture := range artifact.Architectures() {
				wanted[architecture] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(wanted))
}
