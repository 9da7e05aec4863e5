package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/diagnostic"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
)

const validateHelp = `[options]

Checks the configuration of the folder and reads its models, without reaching
any device. Variables need no value, as in continuous integration: what depends
on them is then not checked, and a warning says so. Models whose file does not
describe all its tensors need the engine that ` + "`edgeplan init`" + ` collects.

With -json the result is one JSON object on standard output, in the shape of
` + "`terraform validate -json`" + `: format_version, valid, error_count, warning_count
and diagnostics.

Examples:
  edgeplan validate
  edgeplan validate -json | jq -r '.diagnostics[] | .range.filename + ": " + .summary'

Exit codes: 0 valid, also with warnings; 1 not valid, or an error.
`

func runValidate(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	var vars variables
	vars.add(flags)
	asJSON := flags.Bool("json", false, "print the result as JSON")
	if err := c.parseNone(flags, validateHelp, args); err != nil {
		return err
	}
	cfg, diags, err := c.validate(ctx, vars)
	if *asJSON {
		return c.printValidation(diags, err, cfg.Sources)
	}
	if err := errors.Join(err, c.check(diags, cfg.Sources)); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "Success! The configuration is valid: %s, %s.\n",
		count(len(cfg.Nodes), "node"), count(len(cfg.Models), "model"))
	return nil
}

// validate finds what is wrong with configuration and models. An error is what
// keeps it from looking.
func (c *cli) validate(ctx context.Context, vars variables) (*config.Config, hcl.Diagnostics, error) {
	options := configOptions(vars)
	options.Partial = true
	cfg, diags := config.Load(c.dir, options)
	if diags.HasErrors() {
		return cfg, diags, nil
	}
	shapes, err := c.collectedEngine()
	if err != nil {
		return cfg, diags, err
	}
	linksKnown := len(diags) == 0 // one may depend on a variable without a value
	diags = append(diags, cfg.CheckMeasured(func(*config.Node) bool { return true })...)
	if linksKnown && !diags.HasErrors() {
		diags = append(diags, plan.Unconnected(cfg)...)
	}
	_, faults := loadModels(ctx, cfg, shapes)
	return cfg, append(diags, faults...), nil
}

// printValidation prints diagnostics as JSON, with an error as one more of them.
func (c *cli) printValidation(diags hcl.Diagnostics, err error, files map[string]*hcl.File) error {
	if err != nil {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Validation is not complete", Detail: err.Error()})
	}
	if err := diagnostic.NewResult(diags, files).Write(c.stdout); err != nil {
		return err
	}
	if diags.HasErrors() {
		return exitStatus(exitError)
	}
	return nil
}

// collectedEngine is the operator's engine where init has collected one.
func (c *cli) collectedEngine() (onnx.ShapeInferrer, error) {
	set, err := artifact.Open(c.dir)
	if errors.Is(err, artifact.ErrNotInitialized) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	engine, err := openEngine(set)
	if err != nil {
		return nil, err
	}
	return engine, nil
}

// count is a number with its noun: 1 node, 2 nodes.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
