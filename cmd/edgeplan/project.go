package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/onnx"
)

// project is a configuration folder with what its plan is made of.
type project struct {
	config *config.Config
	set    *artifact.Set
	engine *ort.Engine // the operator's own; it finds shapes and checks answers
	chains map[string]*onnx.Chain
}

// variables are the -var and -var-file flags in the order they were given.
type variables []config.VariableInput

func (v *variables) add(flags *flag.FlagSet) {
	flags.Func("var", "set a variable: `NAME=VALUE`; may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("write NAME=VALUE")
		}
		*v = append(*v, config.VariableInput{Name: strings.TrimSpace(name), Value: value})
		return nil
	})
	flags.Func("var-file", "read variables from `FILE`; may be repeated", func(path string) error {
		*v = append(*v, config.VariableInput{File: path})
		return nil
	})
}

// words are the options that set the same variables, for a command that somebody is to type;
// the values of sensitive ones are left to fill in.
func (v variables) words(cfg *config.Config) (words []string) {
	for _, input := range v {
		switch {
		case input.File != "":
			words = append(words, "-var-file "+shellWord(input.File))
		case cfg.Sensitive(input.Name):
			words = append(words, "-var "+shellWord(input.Name+"=…"))
		default:
			words = append(words, "-var "+shellWord(input.Name+"="+input.Value))
		}
	}
	return words
}

// loadConfig reads and checks the configuration of the folder.
func (c *cli) loadConfig(vars variables) (*config.Config, error) {
	cfg, diags := config.Load(c.dir, configOptions(vars))
	c.secrets.add(cfg.Secrets())
	slog.Info("configuration read", "folder", c.dir, "nodes", len(cfg.Nodes), "models", len(cfg.Models))
	return cfg, c.check(diags, cfg.Sources)
}

func configOptions(vars variables) config.Options {
	return config.Options{Version: version.Version, Variables: vars, Environment: os.Environ()}
}

// loadProject reads configuration, collected files and models.
func (c *cli) loadProject(ctx context.Context, vars variables) (*project, error) {
	cfg, err := c.loadConfig(vars)
	if err != nil {
		return nil, err
	}
	set, err := artifact.Open(c.dir)
	if err != nil {
		return nil, err
	}
	p := &project{config: cfg, set: set}
	if p.engine, err = openEngine(set); err != nil {
		return nil, err
	}
	chains, diags := loadModels(ctx, cfg, p.engine)
	if err := c.check(diags, cfg.Sources); err != nil {
		return nil, err
	}
	p.chains = chains
	return p, nil
}

// openEngine loads the engine for the operator's own platform.
func openEngine(set *artifact.Set) (*ort.Engine, error) {
	library, err := set.OperatorEngine()
	if err != nil {
		return nil, err
	}
	return ort.Open(library.Path)
}

func operatorPlatform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// loadModels reads every model of the configuration; each fault points at the
// model's source.
func loadModels(ctx context.Context, cfg *config.Config, shapes onnx.ShapeInferrer) (map[string]*onnx.Chain, hcl.Diagnostics) {
	chains := map[string]*onnx.Chain{}
	var diags hcl.Diagnostics
	for _, model := range cfg.Models {
		if model.Source == "" {
			continue // a variable without a value would tell
		}
		chain, err := onnx.Load(ctx, model.Source, onnx.Options{Dimensions: model.Dimensions, Shapes: shapes})
		if errors.Is(err, context.Canceled) {
			return nil, append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Interrupted", Detail: "Nothing was changed."})
		}
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Model cannot be used",
				Detail:   err.Error(),
				Subject:  model.SourceRange.Ptr(),
			})
			continue
		}
		chains[model.Name] = chain
	}
	return chains, diags
}
