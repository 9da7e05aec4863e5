package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/agext/levenshtein"
)

// command is one word of the command line. Each stands in a file of its own.
type command struct {
	name    string
	summary string // one line of the list of commands
	run     func(ctx context.Context, c *cli, args []string) error
}

func commands() []command {
	return []command{
		{"init", "Collect the worker and the engine for every architecture", runInit},
		{"validate", "Check the configuration and its models", runValidate},
		{"fmt", "Give configuration files their canonical layout", runFmt},
		{"probe", "Measure devices, links and parts of models", runProbe},
		{"plan", "Show the best placement and what would change", runPlan},
		{"apply", "Bring the devices to what the configuration says", runApply},
		{"rollback", "Bring a model back to its release before", runRollback},
		{"destroy", "Stop and remove everything edgeplan put on devices", runDestroy},
		{"show", "Show what is deployed", runShow},
		{"output", "Print outputs of the last apply", runOutput},
		{"graph", "Draw the devices, their links and the pipelines", runGraph},
		{"state", "Look into the state and mend it", runState},
		{"doctor", "Look for what would keep an apply from working", runDoctor},
		{"force-unlock", "Give back the lock of the state that a killed run left", runForceUnlock},
		{"infer", "Send an input through a deployed pipeline", runInfer},
		{"bench", "Measure a deployed pipeline and compare with the prediction", runBench},
		{"status", "Ask every worker how it is", runStatus},
		{"logs", "Show what workers have logged", runLogs},
		{"watch", "Look after a deployment: plan anew when devices go and come back", runWatch},
		{"model", "Describe a model and the places where it can be cut", runModel},
		{"slice", "Cut a model into slices that any runtime opens", runSlice},
		{"solve", "Solve a placement problem in a JSON file", runSolve},
		{"simulate", "Simulate the pipelines of a plan under load", runSimulate},
		{"demo", "Run the whole way on three embedded devices", runDemo},
		{"completion", "Print a completion script for bash, zsh or fish", runCompletion},
		{"version", "Print the version", runVersion},
	}
}

func findCommand(name string) (command, bool) {
	for _, cmd := range commands() {
		if cmd.name == name {
			return cmd, true
		}
	}
	return command{}, false
}

func usage() string {
	var b strings.Builder
	b.WriteString("Usage: edgeplan [-chdir=DIR] <command> [options]\n\nCommands:\n")
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "  %-13s %s\n", cmd.name, cmd.summary)
	}
	b.WriteString("\nEvery command explains itself with -help.\n")
	return b.String()
}

// elsewhere is what commands of Terraform that edgeplan does not have are called here.
var elsewhere = map[string]string{
	"refresh": "apply -refresh-only",
	"taint":   "apply -replace=ADDRESS",
	"get":     "init",
}

func didYouMean(name string) string {
	if instead, ok := elsewhere[name]; ok {
		return fmt.Sprintf(" What you look for is `edgeplan %s`.", instead)
	}
	for _, cmd := range commands() {
		if levenshtein.Distance(name, cmd.name, nil) <= 2 {
			return fmt.Sprintf(" Did you mean %q?", cmd.name)
		}
	}
	return ""
}

// errHelp says that help was asked for and printed.
var errHelp = errors.New("help was printed")

// parse reads flags and positional arguments in any order, with one dash or
// two, and prints the command's help when asked for it. Every command takes -no-color.
func (c *cli) parse(flags *flag.FlagSet, help string, args []string) ([]string, error) {
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.noColor, "no-color", c.noColor, "print without colours")
	if c.complete != nil {
		c.complete.flags = flags
		return nil, errHelp
	}
	var positional []string
	for len(args) > 0 {
		err := flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			c.printHelp(flags, help)
			return nil, errHelp
		}
		if err != nil {
			return nil, flagError(flags, err)
		}
		rest := flags.Args()
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(positional, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
	return positional, nil
}

// parseNone is parse for a command without positional arguments.
func (c *cli) parseNone(flags *flag.FlagSet, help string, args []string) error {
	positional, err := c.parse(flags, help, args)
	if err == nil && len(positional) > 0 {
		return fmt.Errorf("edgeplan %s takes no argument, and %q was given", flags.Name(), positional[0])
	}
	return err
}

func (c *cli) printHelp(flags *flag.FlagSet, help string) {
	fmt.Fprintf(c.stdout, "Usage: edgeplan %s %s", flags.Name(), strings.TrimLeft(help, "\n"))
	var options strings.Builder
	flags.SetOutput(&options)
	flags.PrintDefaults()
	if options.Len() > 0 {
		fmt.Fprintf(c.stdout, "\nOptions:\n%s", options.String())
	}
	if strings.Contains(help, "Exit codes:") {
		return
	}
	fmt.Fprint(c.stdout, "\nExit codes: 0 done, 1 error or declined.")
	if flags.Lookup("detailed-exitcode") != nil {
		fmt.Fprint(c.stdout, " With -detailed-exitcode: 0 no changes, 1 error, 2 changes.")
	}
	fmt.Fprintln(c.stdout)
}
