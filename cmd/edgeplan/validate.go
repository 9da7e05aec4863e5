package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/onnx"
)

const validateHelp = `[options]

Checks the configuration of the folder and reads its models, without reaching
any device. Models whose file does not describe all its tensors need the engine
that ` + "`edgeplan init`" + ` collects.

Examples:
  edgeplan validate
  edgeplan -chdir=clusters/berlin validate -var fps=15
`

func runValidate(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	var vars variables
	vars.add(flags)
	c.addNoColor(flags)
	if err := c.parseNone(flags, validateHelp, args); err != nil {
		return err
	}
	cfg, err := c.loadConfig(vars)
	if err != nil {
		return err
	}
	shapes, err := c.collectedEngine()
	if err != nil {
		return err
	}
	if _, diags := loadModels(ctx, cfg, shapes); diags.HasErrors() {
		return c.check(diags, cfg.Sources)
	}
	fmt.Fprintf(c.stdout, "Success! The configuration is valid: %s, %s.\n",
		count(len(cfg.Nodes), "node"), count(len(cfg.Models), "model"))
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

// addNoColor adds -no-color.
func (c *cli) addNoColor(flags *flag.FlagSet) {
	flags.BoolVar(&c.noColor, "no-color", c.noColor, "print without colours")
}
