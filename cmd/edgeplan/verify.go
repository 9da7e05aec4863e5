package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
)

// verify runs the whole model on this machine and compares the pipeline's answer.
func (c *cli) verify(ctx context.Context, vars variables, state *statefile.State, name string, inputs, outputs []tensor.Tensor) error {
	deployed := state.Models[name]
	p, err := c.loadProject(ctx, vars)
	if err != nil {
		return err
	}
	model, err := configuredModel(p.config, name)
	if err != nil {
		return err
	}
	chain := p.chains[name]
	if chain.Digest != deployed.SourceDigest {
		return fmt.Errorf("%s has changed since it was deployed, so there is nothing to compare with: run `edgeplan apply` first", model.Source)
	}
	whole, err := runWhole(p.engine, chain, deployed, inputs)
	if err != nil {
		return fmt.Errorf("run the whole model on this machine: %w", err)
	}
	exact := deployed.Optimization == string(ort.Disabled) && oneArchitecture(state, deployed)
	form := transfer.Form(deployed.Transfer)
	v, err := compareAll(outputs, whole, exact && form.Tolerance() == 0, form.Tolerance())
	if err != nil {
		return err
	}
	if allowed := form.Tolerance(); allowed > 0 {
		fmt.Fprintf(c.stdout, "transfer %s rounds on the way: %g of the largest value is allowed\n", form, allowed)
	}
	err = c.printVerdict(v)
	if !v.match {
		c.notef("A file on a device may be damaged: `edgeplan apply -replace=model.%s` pushes all of them again.", name)
	}
	return err
}

func configuredModel(cfg *config.Config, name string) (*config.Model, error) {
	for _, model := range cfg.Models {
		if model.Name == name {
			return model, nil
		}
	}
	return nil, fmt.Errorf("model.%s is deployed but not in the configuration, so the whole model cannot be run to compare with", name)
}

// runWhole runs the model in one piece, sliced once so that symbolic dimensions
// are bound and weights load as they do on the devices.
func runWhole(engine *ort.Engine, chain *onnx.Chain, deployed statefile.Model, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	dir, err := os.MkdirTemp("", "edgeplan-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	slice, err := chain.Slice(0, len(chain.Segments)-1)
	if err != nil {
		return nil, err
	}
	path, err := chain.WriteSlice(dir, slice)
	if err != nil {
		return nil, err
	}
	level, err := ort.ParseLevel(deployed.Optimization)
	if err != nil {
		return nil, err
	}
	session, err := engine.NewSession(path, ort.SessionOptions{Level: level, Threads: deployed.Threads})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var names []string
	for _, output := range deployed.Outputs {
		names = append(names, output.Name)
	}
	return session.Run(inputs, names)
}

// toleranceShare is how much of the largest value may differ where the engine may
// round differently: at optimisation levels that fuse, and between architectures.
func toleranceShare(t tensor.Type) float64 {
	switch t {
	case tensor.Float32, tensor.Float64:
		return 1e-5
	case tensor.Float16:
		return 2.0 / (1 << 10) // two units in the last place
	case tensor.BFloat16:
		return 2.0 / (1 << 7)
	}
	return 0 // nothing is rounded
}

// verdict is how far the pipeline's answer is from the whole model's.
type verdict struct {
	maxAbs, largest float64
	match           bool
}

// compareAll compares output by output; exact allows no difference at all, and
// more is the share of the largest value that is allowed beyond what the engine rounds.
func compareAll(got, want []tensor.Tensor, exact bool, more float64) (verdict, error) {
	v := verdict{match: true}
	if len(got) != len(want) {
		return v, fmt.Errorf("the pipeline gave %d outputs and the whole model %d", len(got), len(want))
	}
	for i := range got {
		d, err := tensor.Compare(got[i], want[i])
		if err != nil {
			return v, err
		}
		tolerance := (toleranceShare(got[i].Type) + more) * d.LargestValue
		if exact {
			tolerance = 0
		}
		v.maxAbs, v.largest = max(v.maxAbs, d.MaxAbs), max(v.largest, d.LargestValue)
		v.match = v.match && d.MaxAbs <= tolerance
	}
	return v, nil
}

func (c *cli) printVerdict(v verdict) error {
	word := c.paint(c.stdout, green, "match")
	if !v.match {
		word = c.paint(c.stdout, red, "MISMATCH")
	}
	fmt.Fprintf(c.stdout, "max abs diff %g, largest value %g: %s\n", v.maxAbs, v.largest, word)
	if !v.match {
		return exitStatus(exitError)
	}
	return nil
}

// oneArchitecture says whether every stage runs on the operator's own architecture.
func oneArchitecture(state *statefile.State, deployed statefile.Model) bool {
	for _, slice := range deployed.Slices {
		if state.Nodes[slice.Node].Architecture != operatorPlatform() {
			return false
		}
	}
	return true
}

func writeNPY(path string, value tensor.Tensor) error {
	var content bytes.Buffer
	if err := tensor.WriteNPY(&content, value); err != nil {
		return err
	}
	return writeWhole(path, content.Bytes(), 0o644)
}
