package main

import (
	"context"
	"flag"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const planHelp = `[options]

Computes the best partition and placement of every model, and shows it with
what would change on the devices, why, and how many bytes that moves. It changes
nothing. Devices that carry a release are asked what runs on them; the others
only for what the configuration and the state do not say.

-target limits the plan to a model: a release is of the whole pipeline, so a
slice or a device cannot be changed alone. -replace=slice.m[0] pushes the files
of that slice again, whatever is on its device, and starts its worker again;
the other workers keep running.

-exclude leaves out a device that is gone for now, as though its node block had
enabled = false: models are placed on the others, and nobody tries to reach it.
The state remembers what is there, for the first apply without -exclude to clean.

-out saves the plan, for ` + "`edgeplan apply FILE`" + ` to carry out what was reviewed
and nothing else. The file holds no value of a variable; it names model files
and collected programs with their digests, and apply refuses it once these, the
state or the devices are no longer what the plan was made from.

Examples:
  edgeplan plan
  edgeplan plan -var fps=15 -detailed-exitcode
  edgeplan plan -out monday.plan        # review it, then: edgeplan apply monday.plan
  edgeplan plan -json | jq .summary     # docs/plan-json.md describes the document
  edgeplan plan -replace 'slice.resnet50[0]'
  edgeplan plan -exclude 'node.pi["roof"]'
  edgeplan plan -explain      # what limits the throughput, and what would help
`

func runPlan(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	var options planFlags
	options.add(c, flags)
	out := flags.String("out", "", "save the plan to `FILE`")
	asJSON := flags.Bool("json", false, "print the plan as JSON")
	flags.BoolVar(&options.explain, "explain", false, "also say how busy every resource is, and what would help most; solves many changed problems")
	detailed := flags.Bool("detailed-exitcode", false, "exit with 2 when there are changes")
	lock := flags.Bool("lock", true, "-lock=false plans without the lock of the state: another run may be changing it")
	flags.BoolVar(&c.input, "input", c.input, "-input=false fails instead of asking for the passphrase of a key")
	if err := c.parseNone(flags, planHelp, args); err != nil {
		return err
	}
	options.lock.off = !*lock
	if err := options.check(c); err != nil {
		return err
	}
	if err := checkOverwrite(*out); err != nil {
		return err
	}
	return c.withState(ctx, "plan", options.lock, func(_ *statefile.Manager, prior *statefile.State) error {
		p, err := c.makePlan(ctx, options, prior)
		if err != nil {
			return err
		}
		return c.present(p, *out, *asJSON, *detailed)
	})
}

// present saves and prints a plan, and gives its exit code.
func (c *cli) present(p *plan.Plan, out string, asJSON, detailed bool) error {
	if out != "" {
		if err := c.savePlan(out, p); err != nil {
			return err
		}
	}
	if asJSON {
		if err := c.printPlanJSON(p); err != nil {
			return err
		}
	} else {
		c.printPlan(p)
	}
	if out != "" {
		c.notef("Saved the plan. Carry out exactly this with: edgeplan apply %s", shellWord(out))
	}
	if detailed && changes(p) {
		return exitStatus(exitChanges)
	}
	return nil
}

// changes says whether -detailed-exitcode tells of changes: something to do, to
// record, or found.
func changes(p *plan.Plan) bool {
	return !p.SameState() || len(p.Drift) > 0
}
