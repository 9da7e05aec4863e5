package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// planFlags are the options that plan and apply share.
type planFlags struct {
	vars    variables
	refresh bool
	replan  bool
	explain bool // of plan alone
}

func (f *planFlags) add(c *cli, flags *flag.FlagSet) {
	f.vars.add(flags)
	flags.BoolVar(&f.refresh, "refresh", true, "ask the devices what runs on them; -refresh=false trusts the state")
	flags.BoolVar(&f.replan, "replan", false, "take a better placement even when it saves less than replan_threshold")
	c.addNoColor(flags)
}

// makePlan computes the plan for the folder against a state.
func (c *cli) makePlan(ctx context.Context, f planFlags, prior *statefile.State) (*plan.Plan, error) {
	p, err := c.loadProject(ctx, f.vars)
	if err != nil {
		return nil, err
	}
	input := plan.Input{
		Config:  p.config,
		Chains:  p.chains,
		Prior:   prior,
		Replan:  f.replan,
		Version: version.Version,
		Explain: f.explain,
	}
	if input.Architectures, err = c.architectures(ctx, p.config, prior); err != nil {
		return nil, err
	}
	if err := addPrograms(&input, p.set); err != nil {
		return nil, err
	}
	if f.refresh {
		if err := c.refresh(ctx, &input); err != nil {
			return nil, err
		}
	}
	made, diags := plan.Build(ctx, input)
	if err := c.check(diags, p.config.Sources); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errors.New("interrupted: nothing was changed")
	}
	return made, nil
}

// addPrograms adds the collected worker and engine of every architecture in use.
// An architecture may have no engine.
func addPrograms(in *plan.Input, set *artifact.Set) error {
	in.Workers, in.Engines = map[string]plan.Program{}, map[string]plan.Program{}
	for _, platform := range in.Platforms() {
		worker, err := set.Worker(platform)
		if err != nil {
			return err
		}
		in.Workers[platform] = program(worker)
		engine, err := set.Engine(platform)
		if errors.Is(err, artifact.ErrUnavailable) {
			continue
		}
		if err != nil {
			return err
		}
		in.Engines[platform] = program(engine)
	}
	return nil
}

func program(a artifact.Artifact) plan.Program {
	return plan.Program{Path: a.Path, Digest: a.Digest, Size: a.Size}
}

// architectures are those of nodes whose configuration does not say: from the
// state, else asked over SSH.
func (c *cli) architectures(ctx context.Context, cfg *config.Config, prior *statefile.State) (map[string]string, error) {
	known := map[string]string{}
	ask := map[string]statefile.Node{}
	for _, node := range cfg.Nodes {
		recorded, ok := prior.Nodes[node.Address]
		switch {
		case node.Architecture != "" || !node.Enabled:
		case ok && recorded.Architecture != "":
			known[node.Address] = recorded.Architecture
		default:
			ask[node.Address] = statefile.Node{Path: node.Path, SSH: statefile.SSH(node.SSH)}
		}
	}
	if len(ask) == 0 {
		return known, nil
	}
	c.notef("Asking %s for the architecture…", count(len(ask), "node"))
	answers, err := deployer.Architectures(ctx, ask, c.deployOptions())
	if err != nil {
		return nil, fmt.Errorf("%w\nA node that cannot be reached yet can still be planned for: write its architecture, as in architecture = \"linux/arm64\"", err)
	}
	for node, architecture := range answers {
		known[node] = architecture
	}
	return known, nil
}

// refresh looks at what is deployed on the enabled nodes and adds what differs
// from the state. What is on other nodes only has to be cleaned.
func (c *cli) refresh(ctx context.Context, in *plan.Input) error {
	skip := map[string]bool{}
	for node := range in.Prior.Nodes {
		skip[node] = true
	}
	asked := 0
	for _, node := range in.Config.Nodes {
		if node.Enabled && skip[node.Address] {
			delete(skip, node.Address)
			asked++
		}
	}
	if asked == 0 || len(in.Prior.Models) == 0 {
		return nil
	}
	c.notef("Refreshing: asking %s what runs there…", count(asked, "node"))
	seen, err := deployer.Refresh(ctx, asConfigured(in.Prior, in.Config), skip, c.deployOptions())
	if err != nil {
		return fmt.Errorf("%w\nA device that is gone for now is left out with enabled = false in its node block. -refresh=false plans from the state without asking", err)
	}
	in.Drift, in.Held = seen.Drift, seen.Held
	return nil
}

// asConfigured is a state whose devices are reached as the configuration says
// now: an address may have changed since.
func asConfigured(prior *statefile.State, cfg *config.Config) *statefile.State {
	state := statefile.Clone(prior)
	for _, node := range cfg.Nodes {
		if recorded, ok := state.Nodes[node.Address]; ok {
			recorded.SSH = statefile.SSH(node.SSH)
			state.Nodes[node.Address] = recorded
		}
	}
	return state
}
