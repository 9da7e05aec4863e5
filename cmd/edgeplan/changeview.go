package main

import (
	"fmt"
	"strings"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// printFound tells what a refresh has found on the devices, as Terraform does.
func (c *cli) printFound(p *plan.Plan) {
	switch {
	case len(p.Drift) == 0 && p.Mode == plan.RefreshOnly:
		c.printWrapped("", 0, "The devices are as the state says.")
		return
	case len(p.Drift) == 0:
		return
	}
	fmt.Fprintf(c.stdout, "%s Objects have changed outside of edgeplan\n\n", c.paint(c.stdout, bold, "Note:"))
	c.printWrapped("", 0, "Since the last apply devices have come to differ from the state:")
	fmt.Fprintln(c.stdout)
	for _, d := range p.Drift {
		c.printWrapped(c.paint(c.stdout, yellow, "  ~")+" ", 4, fmt.Sprintf("model.%s on %s: %s", d.Model, d.Node, d.Problem))
	}
	fmt.Fprintln(c.stdout)
	if p.Mode == plan.RefreshOnly {
		c.printWrapped("", 0, "`edgeplan apply` without -refresh-only repairs that.")
		fmt.Fprintln(c.stdout)
	}
}

// printExcluded tells what a plan leaves out.
func (c *cli) printExcluded(p *plan.Plan) {
	if len(p.Excluded) == 0 {
		return
	}
	c.printWrapped("", 0, fmt.Sprintf("Left out (-exclude): %s. What is there stays, and an apply without -exclude removes what is no longer needed.", strings.Join(p.Excluded, ", ")))
	fmt.Fprintln(c.stdout)
}

// printOutputChanges shows outputs whose values change.
func (c *cli) printOutputChanges(p *plan.Plan) {
	if len(p.Outputs) == 0 {
		return
	}
	fmt.Fprint(c.stdout, "Changes to outputs:\n\n")
	for _, o := range p.Outputs {
		symbol := c.paint(c.stdout, actionColor(o.Action), fmt.Sprintf("%3s", string(o.Action)))
		c.printWrapped(symbol+" ", 6, o.Name+" = "+outputValue(o))
	}
	fmt.Fprintln(c.stdout)
}

// outputValue is an output's value before and after.
func outputValue(o plan.OutputChange) string {
	after := string(o.After)
	if o.Unknown {
		after = "(known after apply)"
	}
	switch {
	case o.Action == plan.Create:
		return after
	case o.Action == plan.Delete:
		return string(o.Before) + " -> null"
	}
	return string(o.Before) + " -> " + after
}

func (c *cli) printChange(change plan.Change) {
	symbol := c.paint(c.stdout, actionColor(change.Action), fmt.Sprintf("%3s", string(change.Action)))
	c.printWrapped(symbol+" ", 6, strings.TrimRight(change.Address+" "+where(change), " "))
	for _, reason := range change.Reasons {
		c.printWrapped("      # ", 8, reason)
	}
}

// where says on which device a change happens, what is there, and the upload.
func where(change plan.Change) string {
	text := "on " + change.AfterNode
	switch change.Action {
	case plan.Delete:
		if change.Address == change.BeforeNode {
			return ""
		}
		return "on " + change.BeforeNode
	case plan.Replace:
		if change.BeforeNode != change.AfterNode {
			text = change.BeforeNode + " -> " + change.AfterNode
		}
	}
	if change.After != nil {
		text += fmt.Sprintf(": %s .. %s", change.After.FirstNode, change.After.LastNode)
	}
	if change.UploadBytes > 0 {
		text += fmt.Sprintf(" (upload %s)", quantity.FormatBytes(change.UploadBytes))
	}
	return text
}

func actionColor(a plan.Action) string {
	switch a {
	case plan.Create:
		return green
	case plan.Delete:
		return red
	}
	return yellow
}

// printSwitches warns of every pipeline that pauses.
func (c *cli) printSwitches(p *plan.Plan) {
	for _, d := range p.Deployments {
		if d.Switch != plan.StopFirst || d.From == nil {
			continue
		}
		why := "the old release stops before the new one starts, because both do not fit side by side."
		if d.From.Release == d.To.Release {
			why = "workers of its release are started again."
		}
		fmt.Fprintln(c.stdout)
		c.printWrapped("  ", 4, fmt.Sprintf("model.%s pauses: %s", d.Model, why))
	}
}

// tally counts changes as Terraform does: a replacement is one added and one destroyed.
func tally(changes []plan.Change) (added, changed, destroyed int) {
	for _, change := range changes {
		switch change.Action {
		case plan.Create:
			added++
		case plan.Update:
			changed++
		case plan.Delete:
			destroyed++
		case plan.Replace:
			added++
			destroyed++
		}
	}
	return added, changed, destroyed
}

// printOutputs shows the outputs of the configuration.
func (c *cli) printOutputs(state *statefile.State) {
	if len(state.Outputs) == 0 {
		return
	}
	fmt.Fprint(c.stdout, "\nOutputs:\n\n")
	for _, name := range sortedKeys(state.Outputs) {
		fmt.Fprintf(c.stdout, "%s = %s\n", name, state.Outputs[name])
	}
}
