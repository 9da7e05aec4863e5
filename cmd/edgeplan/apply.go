package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const applyHelp = `[options] [PLAN]

Makes a plan, shows it, asks, and carries it out: pushes what devices lack,
starts the new release beside the old one, checks it with an inference, switches
over and records every step. When a step fails the old release goes on serving,
and the next apply continues.

With PLAN, a file of ` + "`edgeplan plan -out`" + `, it carries out that plan without
asking. It is refused when the state, a model file, the collected programs, the
version of edgeplan or a device is no longer what it was made from.

The first interrupt (Ctrl-C) finishes the step in hand, saves and ends; the
second ends at once.

Examples:
  edgeplan apply
  edgeplan apply -auto-approve
  edgeplan apply monday.plan
  edgeplan apply -auto-approve -json
  edgeplan apply -target model.resnet50
  edgeplan apply -exclude 'node.pi["roof"]'    # that device is gone for now
`

// approval are the options of commands that change devices.
type approval struct {
	auto bool
}

func (a *approval) add(c *cli, flags *flag.FlagSet) {
	flags.BoolVar(&a.auto, "auto-approve", false, "do not ask")
	flags.BoolVar(&c.input, "input", c.input, "-input=false fails instead of asking")
}

func runApply(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("apply", flag.ContinueOnError)
	var options planFlags
	var approve approval
	options.add(c, flags)
	approve.add(c, flags)
	asJSON := flags.Bool("json", false, "print an event a line as JSON; needs -auto-approve or PLAN")
	files, err := c.parse(flags, applyHelp, args)
	if err != nil {
		return err
	}
	if err := options.check(c); err != nil {
		return err
	}
	c.leaseWait = options.lock.timeout
	if *asJSON {
		if !approve.auto && len(files) == 0 {
			return errors.New("-json cannot ask: give -auto-approve, or apply a saved plan")
		}
		return c.withEvents(func() error { return c.apply(ctx, flags, files, options, approve) })
	}
	return c.apply(ctx, flags, files, options, approve)
}

func (c *cli) apply(ctx context.Context, flags *flag.FlagSet, files []string, options planFlags, approve approval) error {
	switch len(files) {
	case 0:
	case 1:
		if err := checkSavedOptions(flags, files[0]); err != nil {
			return err
		}
		return c.applySaved(ctx, files[0], options.lock)
	default:
		return fmt.Errorf("edgeplan apply takes one saved plan, and %d were given: %s", len(files), strings.Join(files, ", "))
	}
	return c.withState(ctx, "apply", options.lock, func(states *statefile.Manager, prior *statefile.State) error {
		p, err := c.makePlan(ctx, options, prior)
		if err != nil {
			return err
		}
		if p.Empty() && p.Mode == plan.Normal {
			c.printFound(p)
			c.printExcluded(p)
			c.printOffers(p)
			c.printUnchanged(p)
		} else {
			c.printPlan(p)
		}
		return c.carryOut(ctx, p, states, approve)
	})
}

// shapesPlan are the options that a saved plan has been made with already.
var shapesPlan = map[string]bool{"var": true, "var-file": true, "refresh": true, "refresh-only": true, "replan": true,
	"destroy": true, "replace": true, "target": true, "exclude": true}

// checkSavedOptions refuses options that would have no effect on a saved plan.
func checkSavedOptions(flags *flag.FlagSet, file string) error {
	var err error
	flags.Visit(func(f *flag.Flag) {
		if shapesPlan[f.Name] && err == nil {
			err = fmt.Errorf("-%s shapes a plan, and %s is one already: give it to `edgeplan plan -out`, or leave the file out", f.Name, file)
		}
	})
	return err
}

// applySaved carries out a saved plan. It was approved by whoever hands it over.
func (c *cli) applySaved(ctx context.Context, path string, lock locking) error {
	p, err := c.readPlan(path)
	if err != nil {
		return err
	}
	return c.withState(ctx, "apply", lock, func(states *statefile.Manager, prior *statefile.State) error {
		if err := c.reopen(ctx, p, prior); err != nil {
			if outdated(err) {
				return refused(path, err)
			}
			return err
		}
		c.noteEdits(p, path)
		c.printSummary(p)
		return c.carryOut(ctx, p, states, approval{auto: true})
	})
}

// outdated says whether an error means that the world has moved on from a plan.
func outdated(err error) bool {
	for _, reason := range []error{plan.ErrStale, plan.ErrModelChanged, plan.ErrProgramChanged, plan.ErrDeviceChanged, plan.ErrInconsistent} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// withState runs with the state and, unless that is off, under its lock.
func (c *cli) withState(ctx context.Context, operation string, l locking, change func(*statefile.Manager, *statefile.State) error) error {
	states, err := c.state(ctx)
	if err != nil {
		return err
	}
	run := func() error {
		prior, err := c.load(ctx, states)
		if err != nil {
			return err
		}
		return change(states, prior)
	}
	if l.off {
		return run()
	}
	return c.locked(ctx, states, operation, l.timeout, run)
}

// locked runs do under the lock of the state.
func (c *cli) locked(ctx context.Context, states *statefile.Manager, operation string, timeout time.Duration, do func() error) error {
	lock, err := states.Lock(ctx, statefile.LockOptions{
		Operation: operation,
		Timeout:   timeout,
		Waiting: func(holder statefile.LockInfo) {
			c.notef("Waiting for the lock of the state, held by %s (%s)…", holder.Who, holder.Operation)
		},
	})
	if err != nil {
		return lockProblem(ctx, operation, err)
	}
	return errors.Join(do(), lock.Unlock())
}

// lockProblem adds what can be done when the lock cannot be had.
func lockProblem(ctx context.Context, operation string, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted while waiting for the lock of the state: nothing was changed")
	case operation == "plan" && !errors.Is(err, statefile.ErrLocked):
		return fmt.Errorf("%w\n-lock=false plans without the lock", err)
	}
	return err
}

// The words around an approval, by what the plan does.
func approvalWords(p *plan.Plan) (question, done string) {
	switch {
	case p.Mode == plan.Destroying && len(p.Targets) == 0:
		return "Do you really want to destroy all of this? There is no undo.", "Destroy complete!"
	case p.Mode == plan.Destroying:
		return "Do you really want to destroy this? There is no undo.", "Destroy complete!"
	case p.Mode == plan.RollingBack:
		return "Do you want to go back to the release before?", "Rollback complete!"
	case p.Mode == plan.RefreshOnly || p.Empty():
		return "Do you want to bring the state up to date?", "Apply complete!"
	}
	return "Do you want to perform these actions?", "Apply complete!"
}

// carryOut asks and applies. What only brings the state up to date to a
// configuration needs no approval, as nothing is lost by it.
func (c *cli) carryOut(ctx context.Context, p *plan.Plan, states *statefile.Manager, a approval) error {
	if p.SameState() {
		return nil
	}
	question, done := approvalWords(p)
	if needsApproval := !p.Empty() || p.Mode == plan.RefreshOnly; needsApproval && !a.auto {
		if err := c.ask(ctx, a, question); err != nil {
			return err
		}
	}
	if p.Empty() {
		return c.recordUnchanged(p, states)
	}
	start := time.Now()
	if err := c.deploy(ctx, p, states); err != nil {
		return err
	}
	added, changed, destroyed := tally(p.Changes)
	fmt.Fprintf(c.stdout, "\n%s %d added, %d changed, %d destroyed, in %s.\n",
		c.paint(c.stdout, green, done), added, changed, destroyed, time.Since(start).Round(100*time.Millisecond))
	c.printOutputs(p.Desired)
	return nil
}

// ask is for approval, where asking is allowed.
func (c *cli) ask(ctx context.Context, a approval, question string) error {
	if !c.input {
		return errors.New("approval is needed and -input=false forbids asking: nothing was changed; give -auto-approve, or apply a saved plan")
	}
	return c.approve(ctx, question)
}

// recordUnchanged keeps predictions and outputs that changed without anything
// to do on devices.
func (c *cli) recordUnchanged(p *plan.Plan, states *statefile.Manager) error {
	if err := states.Record(p.Desired); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s The state was brought up to date.\n", c.paint(c.stdout, green, "Apply complete!"))
	c.printOutputs(p.Desired)
	return nil
}

// deploy applies a plan and shows how it goes.
func (c *cli) deploy(ctx context.Context, p *plan.Plan, states *statefile.Manager) error {
	c.planEvent(p)
	shown := c.newProgress()
	defer shown.end()
	options := c.holding(states, p.Mode)
	options.Progress = shown.show
	return deployer.Apply(ctx, p, states, options)
}

// holding is deployOptions for a run that takes the leases of devices.
func (c *cli) holding(states *statefile.Manager, mode plan.Mode) deployer.Options {
	operation := "apply"
	if mode == plan.Destroying || mode == plan.RollingBack {
		operation = string(mode)
	}
	o := c.deployOptions()
	o.Holder, o.LeaseWait = c.holder(states, operation), c.leaseWait
	return o
}

// holder is who this run is. A state that is a file is another one on every machine.
func (c *cli) holder(states *statefile.Manager, operation string) deployer.Holder {
	h := deployer.Holder{Who: statefile.Who(), Operation: operation, State: states.Location()}
	if path, err := filepath.Abs(h.State); err == nil && !strings.Contains(h.State, "://") {
		_, host, _ := strings.Cut(h.Who, "@")
		h.State = host + ":" + path
	}
	return h
}

// deployOptions is how devices are reached, with steps as lines on standard error.
func (c *cli) deployOptions() deployer.Options {
	return deployer.Options{Progress: c.newLines().show, Devices: c.parallelism, Connections: c.connections, Passphrase: c.passphraser()}
}
