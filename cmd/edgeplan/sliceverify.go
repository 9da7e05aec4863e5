package main

import (
	"fmt"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
)

// verifySlices runs the model's own file and the slices one after the other.
func (c *cli) verifySlices(chain *onnx.Chain, files []onnx.SliceFile, options sliceFlags, lazy *lazyEngine) error {
	engine, err := lazy.get()
	if err != nil {
		return err
	}
	given := inferFlags{files: options.files}
	if len(given.files) == 0 {
		given.random = &options.seed
	}
	inputs, err := readInputs(given, chain.Inputs)
	if err != nil {
		return err
	}
	want, err := runModelFile(engine, chain.Path, options.level, inputs, chain.Outputs)
	if err != nil {
		return fmt.Errorf("run the whole model: %w", err)
	}
	carried := inputs
	for _, f := range files {
		if carried, err = runModelFile(engine, f.Path, options.level, carried, f.Outputs); err != nil {
			return fmt.Errorf("run %s: %w", f.Path, err)
		}
	}
	got, err := inOrder(carried, chain.Outputs)
	if err != nil {
		return err
	}
	half := carriesHalf(files)
	if half != "" {
		c.notef("A cut carries %q as float16. The engine computes float16 in float32 on this machine and rounds where a model ends,\nso rounding at the cut is allowed for.", half)
	}
	v, err := compareAll(got, want, options.level == ort.Disabled && half == "", 0)
	if err != nil {
		return err
	}
	return c.printVerdict(v)
}

// carriesHalf names a tensor that crosses a cut as float16, if there is one.
func carriesHalf(files []onnx.SliceFile) string {
	for _, f := range files[1:] {
		for _, t := range f.Inputs {
			if t.Type == tensor.Float16 {
				return t.Name
			}
		}
	}
	return ""
}

// runModelFile runs a model once, on one thread so that a second run gives the same bits.
func runModelFile(engine *ort.Engine, path string, level ort.Level, inputs []tensor.Tensor, outputs []tensor.Info) ([]tensor.Tensor, error) {
	session, err := engine.NewSession(path, ort.SessionOptions{Level: level, Threads: 1})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var names []string
	for _, output := range outputs {
		names = append(names, output.Name)
	}
	return session.Run(inputs, names)
}

// inOrder brings tensors into the order of the model's outputs.
func inOrder(tensors []tensor.Tensor, wanted []tensor.Info) ([]tensor.Tensor, error) {
	var list []tensor.Tensor
	for _, info := range wanted {
		at := indexOf(tensors, info.Name)
		if at < 0 {
			return nil, fmt.Errorf("the last slice does not give the output %q", info.Name)
		}
		list = append(list, tensors[at])
	}
	return list, nil
}

func indexOf(tensors []tensor.Tensor, name string) int {
	for i, t := range tensors {
		if t.Name == name {
			return i
		}
	}
	return -1
}
