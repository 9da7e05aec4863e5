package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

const doctorHelp = `[options]

Looks at every device of the configuration and of the state, all at once, and
tells what would keep an apply from working: connection and host key,
architecture, C library, free space and memory against what the plan needs, the
folder and its file system, ports, the clock, what starts workers again after a
reboot, and a lease that somebody else holds. Changes nothing. Apply looks for
the same before it writes anything.

Every line names the device, what is wrong and why, and what to do.

Examples:
  edgeplan doctor
  edgeplan doctor -json

Exit codes: 0 nothing keeps an apply from working (warnings may be there),
1 something does.
`

// doctorFormat is the version of what `doctor -json` prints.
const doctorFormat = 1

// doctorDocument is what `doctor -json` prints.
type doctorDocument struct {
	FormatVersion int    `json:"format_version"`
	Ready         bool   `json:"ready"`          // nothing keeps an apply from working
	Plan          string `json:"plan,omitempty"` // why there is none to compare with
	*deployer.Examination
}

func runDoctor(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	options := planFlags{}
	options.vars.add(flags)
	asJSON := flags.Bool("json", false, "print the report as JSON")
	flags.IntVar(&c.parallelism, "parallelism", defaultParallelism, "ask at most `N` devices at once")
	if err := c.parseNone(flags, doctorHelp, args); err != nil {
		return err
	}
	if err := options.check(c); err != nil {
		return err
	}
	report, err := c.examine(ctx, options)
	if err != nil {
		return err
	}
	if *asJSON {
		err = c.printJSON(report)
	} else {
		c.printExamination(report)
	}
	if err == nil && !report.Ready {
		err = fmt.Errorf("an apply would stop: %s", count(report.Faults()+boolCount(report.Plan != ""), "problem"))
	}
	return err
}

func boolCount(b bool) int {
	if b {
		return 1
	}
	return 0
}

// examine compares the devices with the plan of the folder. Where no plan can be
// made the devices are looked at by themselves, and that is said.
func (c *cli) examine(ctx context.Context, options planFlags) (*doctorDocument, error) {
	states, err := c.state(ctx)
	if err != nil {
		return nil, err
	}
	prior, err := c.load(ctx, states)
	if err != nil {
		return nil, err
	}
	cfg, err := c.loadConfig(options.vars)
	if err != nil {
		return nil, err
	}
	doc := &doctorDocument{FormatVersion: doctorFormat}
	p, err := c.planQuietly(ctx, options, prior)
	if ctx.Err() != nil {
		return nil, errors.New("interrupted: nothing was changed")
	}
	if err != nil {
		doc.Plan = err.Error()
		p = &plan.Plan{Prior: prior, Desired: statefile.Clone(prior)}
		p.Desired.Nodes = knownNodes(cfg, prior)
	}
	o := c.deployOptions()
	o.Progress, o.Holder = nil, c.holder(states, "doctor")
	if doc.Examination, err = deployer.Examine(ctx, p, knownNodes(cfg, prior), o); err != nil {
		return nil, err
	}
	doc.Ready = doc.Plan == "" && doc.Faults() == 0
	return doc, nil
}

// planQuietly makes the plan without asking devices what runs on them, and without
// printing: what is wrong with it becomes a line of the report.
func (c *cli) planQuietly(ctx context.Context, options planFlags, prior *statefile.State) (*plan.Plan, error) {
	quiet := *c
	quiet.stderr = io.Discard
	return quiet.makePlan(ctx, options, prior)
}

// knownNodes are those of the configuration and of the state, as they are reached now.
func knownNodes(cfg *config.Config, prior *statefile.State) map[string]statefile.Node {
	nodes := statefile.Clone(asConfigured(prior, cfg)).Nodes
	if nodes == nil {
		nodes = map[string]statefile.Node{}
	}
	for _, node := range cfg.Nodes {
		if _, known := nodes[node.Address]; !known && node.Enabled {
			nodes[node.Address] = statefile.Node{SSH: statefile.SSH(node.SSH), Path: node.Path, Architecture: node.Architecture}
		}
	}
	return nodes
}

func (c *cli) printExamination(d *doctorDocument) {
	if d.Plan != "" {
		c.printWrapped(c.paint(c.stdout, red, "error")+" (plan): ", 2, "there is no plan to compare the devices with: "+d.Plan)
	}
	byNode := map[string][]deployer.Finding{}
	for _, f := range d.Findings {
		byNode[f.Node] = append(byNode[f.Node], f)
	}
	for _, f := range byNode[""] {
		c.printFinding("", f)
	}
	warnings := len(d.Findings) - d.Faults()
	for _, device := range d.Devices {
		if len(byNode[device.Node]) == 0 {
			c.printWrapped(device.Node+": ", 2, c.paint(c.stdout, green, "ok")+": "+facts(device))
		}
		for _, f := range byNode[device.Node] {
			c.printFinding(device.Node+": ", f)
		}
	}
	fmt.Fprintf(c.stdout, "\n%s examined: %s, %s.\n", count(len(d.Devices), "device"),
		count(d.Faults()+boolCount(d.Plan != ""), "error"), count(warnings, "warning"))
}

func (c *cli) printFinding(prefix string, f deployer.Finding) {
	color := yellow
	if f.Severity == deployer.Fault {
		color = red
	}
	text := f.Problem
	if f.Remedy != "" {
		text += ": " + f.Remedy
	}
	c.printWrapped(prefix+c.paint(c.stdout, color, string(f.Severity))+" ("+f.Check+"): ", 2, text)
}

// facts are what is good to know of a device that is well.
func facts(d deployer.Examined) string {
	parts := []string{d.Architecture}
	if d.Library != "" {
		parts = append(parts, d.Library)
	}
	if d.FreeDiskBytes > 0 {
		parts = append(parts, quantity.FormatBytes(d.FreeDiskBytes)+" of disk free"+needed(d.NeededDiskBytes))
	}
	if d.AvailableMemoryBytes > 0 {
		parts = append(parts, quantity.FormatBytes(d.AvailableMemoryBytes)+" of memory available"+needed(d.NeededMemoryBytes))
	}
	if text := afterReboot(d.Supervision); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// afterReboot says what starts a worker when its device starts again.
func afterReboot(way worker.Supervision) string {
	switch way {
	case worker.SystemUnit:
		return "systemd starts workers after a reboot"
	case worker.UserUnit:
		return "the user's systemd starts workers after a reboot"
	case worker.Cron:
		return "cron starts workers after a reboot"
	case worker.Unregistered:
		return "nothing starts workers after a reboot"
	}
	return ""
}

func needed(bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return " (" + quantity.FormatBytes(bytes) + " needed)"
}
