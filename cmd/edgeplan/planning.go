package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// planInput is what a plan of the folder is made of; its models are read and its
// devices are asked.
func (c *cli) planInput(ctx context.Context, f planFlags, prior *statefile.State) (*plan.Input, error) {
	p, err := c.loadProject(ctx, f.vars)
	if err != nil {
		return nil, err
	}
	return c.inputOf(ctx, f, p, prior)
}

// inputOf is planInput for a folder that has been read.
func (c *cli) inputOf(ctx context.Context, f planFlags, p *project, prior *statefile.State) (*plan.Input, error) {
	excluded, err := plan.Excluded(f.exclude, p.config, prior)
	if err != nil {
		return nil, err
	}
	input := &plan.Input{
		Config:   plan.Without(p.config, excluded),
		Chains:   p.chains,
		Prior:    prior,
		Replan:   f.replan,
		Targets:  f.targets,
		Replace:  f.replace,
		Excluded: excluded,
		Version:  version.Version,
		Explain:  f.explain,
	}
	if err := input.CheckOptions(); err != nil {
		return nil, err
	}
	if input.Architectures, err = c.architectures(ctx, f, input.Config, prior); err != nil {
		return nil, err
	}
	if err := addPrograms(input, p.set); err != nil {
		return nil, err
	}
	return input, c.refreshInto(ctx, f, input)
}

// makePlan computes the plan for the folder against a state.
func (c *cli) makePlan(ctx context.Context, f planFlags, prior *statefile.State) (*plan.Plan, error) {
	switch {
	case f.destroy:
		return c.makeDestroy(f, prior)
	case f.refreshOnly:
		return c.makeRefresh(ctx, f, prior)
	}
	input, err := c.planInput(ctx, f, prior)
	if err != nil {
		return nil, err
	}
	return c.build(ctx, input)
}

// build computes the plan of an input.
func (c *cli) build(ctx context.Context, input *plan.Input) (*plan.Plan, error) {
	made, diags := plan.Build(ctx, *input)
	if made != nil {
		for _, m := range made.Models {
			slog.Info("placed", "model", m.Name, "stages", len(m.Stages), "status", m.Status, "gap", m.Gap, "reason", m.Reason)
		}
	}
	return c.checkPlan(ctx, made, diags, input.Config)
}

// makeDestroy needs no configuration; where there is one that can be read, it tells
// which outputs go with the models that are targeted.
func (c *cli) makeDestroy(f planFlags, prior *statefile.State) (*plan.Plan, error) {
	excluded, err := plan.Excluded(f.exclude, nil, prior)
	if err != nil {
		return nil, err
	}
	var cfg *config.Config
	if len(f.targets) > 0 {
		quiet := *c
		quiet.stderr = io.Discard
		if cfg, err = quiet.loadConfig(f.vars); err != nil {
			cfg = nil
		}
	}
	return plan.DestroyTargets(prior, cfg, f.targets, excluded...)
}

// makeRefresh looks at the devices and plans nothing for them.
func (c *cli) makeRefresh(ctx context.Context, f planFlags, prior *statefile.State) (*plan.Plan, error) {
	cfg, err := c.loadConfig(f.vars)
	if err != nil {
		return nil, err
	}
	excluded, err := plan.Excluded(f.exclude, cfg, prior)
	if err != nil {
		return nil, err
	}
	input := &plan.Input{Config: plan.Without(cfg, excluded), Prior: prior, Excluded: excluded, Version: version.Version}
	if err := c.refreshInto(ctx, f, input); err != nil {
		return nil, err
	}
	made, diags := plan.Refresh(*input)
	return c.checkPlan(ctx, made, diags, cfg)
}

func (c *cli) checkPlan(ctx context.Context, made *plan.Plan, diags hcl.Diagnostics, cfg *config.Config) (*plan.Plan, error) {
	if ctx.Err() != nil {
		return nil, errors.New("interrupted: nothing was changed")
	}
	if err := c.check(diags, cfg.Sources); err != nil {
		return nil, err
	}
	if len(made.Targets) > 0 {
		c.warnf("-target leaves the other models as they are deployed, so what is planned is not all that the configuration says.")
	}
	return made, nil
}

// addPrograms adds the collected worker and engine of every architecture in use.
// An architecture may have no engine.
func addPrograms(in *plan.Input, set *artifact.Set) error {
	return addProgramsFor(in, set, in.Platforms())
}

func addProgramsFor(in *plan.Input, set *artifact.Set, platforms []string) error {
	in.Workers, in.Engines = map[string]plan.Program{}, map[string]plan.Program{}
	for _, platform := range platforms {
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
// state, else as measured, else asked over SSH.
func (c *cli) architectures(ctx context.Context, f planFlags, cfg *config.Config, prior *statefile.State) (map[string]string, error) {
	known := map[string]string{}
	ask := map[string]statefile.Node{}
	for _, node := range cfg.Nodes {
		recorded, ok := prior.Nodes[node.Address]
		switch {
		case node.Architecture != "" || !node.Enabled:
		case ok && recorded.Architecture != "":
			known[node.Address] = recorded.Architecture
		case cfg.Measured.Node(node.Address) != nil:
			known[node.Address] = cfg.Measured.Node(node.Address).Architecture
		default:
			ask[node.Address] = statefile.Node{Path: node.Path, SSH: statefile.SSH(node.SSH)}
		}
	}
	if len(ask) == 0 {
		return known, nil
	}
	if f.offline {
		return nil, fmt.Errorf("no device is asked here, and the architecture of %s is not known: write it in the node block, as in architecture = \"linux/arm64\"",
			strings.Join(sortedKeys(ask), ", "))
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

// refreshInto adds what is found on the devices to what a plan is made of.
func (c *cli) refreshInto(ctx context.Context, f planFlags, in *plan.Input) error {
	if f.refresh != refreshQuick && f.refresh != refreshFull {
		return nil
	}
	seen, err := c.refresh(ctx, asConfigured(in.Prior, in.Config), enabledNodes(in.Config), f.refresh == refreshFull)
	if err != nil {
		return err
	}
	in.Drift, in.Held, in.Refreshed = seen.Drift, seen.Held, true
	in.Fetchers = c.fetchers(ctx, in)
	return nil
}

// fetchers asks new devices whether they could get their worker program from another one, where
// that is to be decided. It is no fault that one does not answer yet.
func (c *cli) fetchers(ctx context.Context, in *plan.Input) map[string]bool {
	ask := map[string]statefile.Node{}
	for _, node := range in.Config.Nodes {
		if _, known := in.Prior.Nodes[node.Address]; !known && node.Enabled {
			ask[node.Address] = statefile.Node{Path: node.Path, SSH: statefile.SSH(node.SSH)}
		}
	}
	if in.Config.Settings.Uplink == 0 || len(ask) == 0 || len(enabledNodes(in.Config)) < 2 {
		return nil
	}
	c.notef("Asking %s for a shell that can get the worker program from another node…", count(len(ask), "new node"))
	options := c.deployOptions()
	options.Attempts = 1
	return deployer.Fetchers(ctx, ask, options)
}

func enabledNodes(cfg *config.Config) []string {
	var nodes []string
	for _, node := range cfg.Nodes {
		if node.Enabled {
			nodes = append(nodes, node.Address)
		}
	}
	return nodes
}

// refresh looks at what is deployed on the given nodes, and may hash all of it. What is
// on others only has to be cleaned.
func (c *cli) refresh(ctx context.Context, state *statefile.State, nodes []string, full bool) (deployer.Observation, error) {
	skip := map[string]bool{}
	for node := range state.Nodes {
		skip[node] = true
	}
	asked := 0
	for _, node := range nodes {
		if skip[node] {
			delete(skip, node)
			asked++
		}
	}
	if asked == 0 || len(state.Models) == 0 {
		return deployer.Observation{}, nil
	}
	c.notef("Refreshing: asking %s what runs there…", count(asked, "node"))
	options := c.deployOptions()
	options.HashAll = full
	seen, err := deployer.Refresh(ctx, state, skip, options)
	if ctx.Err() != nil {
		return deployer.Observation{}, errors.New("interrupted: nothing was changed")
	}
	if err != nil {
		return deployer.Observation{}, fmt.Errorf("%w\n%s-refresh=false plans from the state without asking", err, leaveOut(err))
	}
	slog.Info("refreshed", "nodes", asked, "drift", len(seen.Drift))
	return seen, nil
}

// leaveOut is how the devices of an error are left out for now.
func leaveOut(err error) string {
	nodes := map[string]bool{}
	addDevices(err, nodes)
	if len(nodes) == 0 {
		return ""
	}
	text := "A device that is gone for now is left out with"
	for _, node := range sortedKeys(nodes) {
		text += " -exclude " + shellWord(node)
	}
	return text + ", for longer with enabled = false in its node block. "
}

// addDevices finds the devices that joined errors are about.
func addDevices(err error, nodes map[string]bool) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			addDevices(part, nodes)
		}
		return
	}
	var device *deployer.DeviceError
	if errors.As(err, &device) {
		nodes[device.Node] = true
	}
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
