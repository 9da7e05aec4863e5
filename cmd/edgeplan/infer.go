package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/statefile"
)

const inferHelp = `[options] [MODEL]

Sends an input through a deployed pipeline and prints the output. The request
reaches the gateway through the SSH connection, so no port needs to be open.
MODEL may be left out when one model is deployed.

Inputs are .npy files or ONNX TensorProto .pb files; a model with several inputs
names each of them. Without -out the outputs are printed as JSON; with -verify
only the verdict is.

-stage tries one slice alone, on its device: its inputs are the tensors of the cut
before it, and its outputs those of the cut after it.

Examples:
  edgeplan infer -random 1 -verify
  edgeplan infer resnet50 -input picture.npy -out scores.npy
  edgeplan infer bert -input ids=ids.npy -input mask=mask.pb -out answers/
  edgeplan infer resnet50 -stage 1 -random 1
`

// inferFlags are the options of infer.
type inferFlags struct {
	vars   variables
	files  []string // -input values
	random *uint64
	out    string
	verify bool
	stage  *int // nil is the whole pipeline
}

func (f *inferFlags) add(flags *flag.FlagSet) {
	f.vars.add(flags)
	flags.Func("input", "read an input from `[NAME=]FILE` (.npy or .pb); may be repeated", func(text string) error {
		f.files = append(f.files, text)
		return nil
	})
	flags.Func("random", "make inputs from `SEED`", func(text string) error {
		seed, err := strconv.ParseUint(text, 10, 64)
		f.random = &seed
		if err != nil {
			return errors.New("write a whole number, 0 or more")
		}
		return nil
	})
	flags.StringVar(&f.out, "out", "", "write the output to `FILE` as .npy; with several outputs, into this folder")
	flags.Func("stage", "try the slice with this `INDEX` alone, as 0", func(text string) error {
		index, err := strconv.Atoi(text)
		f.stage = &index
		if err != nil || index < 0 {
			return errors.New("write the index of a slice, 0 or more")
		}
		return nil
	})
	flags.BoolVar(&f.verify, "verify", false, "compare with the whole model run on this machine")
}

func runInfer(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("infer", flag.ContinueOnError)
	var options inferFlags
	options.add(flags)
	state, name, err := c.parseDeployed(ctx, flags, inferHelp, args)
	if err != nil {
		return err
	}
	tried, err := c.triedOf(state, name, options)
	if err != nil {
		return err
	}
	inputs, err := readInputs(options, tried.inputs)
	if err != nil {
		return err
	}
	if options.out != "" && len(tried.outputs) == 1 {
		if err := checkWritable(options.out); err != nil {
			return err
		}
	}
	outputs, err := tried.infer(ctx, inputs)
	if err != nil {
		return err
	}
	if options.out != "" || !options.verify {
		if err := c.writeOutputs(options.out, outputs); err != nil || !options.verify {
			return err
		}
	}
	return c.verify(ctx, options.vars, state, name, inputs, outputs)
}

// parseDeployed reads the command line of a command on one deployed model.
func (c *cli) parseDeployed(ctx context.Context, flags *flag.FlagSet, help string, args []string) (*statefile.State, string, error) {
	names, err := c.parse(flags, help, args)
	if err != nil {
		return nil, "", err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return nil, "", err
	}
	name, err := deployedModel(state, names)
	return state, name, err
}

// deployedModel is the model that the command line means.
func deployedModel(state *statefile.State, names []string) (string, error) {
	deployed := sortedKeys(state.Models)
	switch {
	case len(deployed) == 0:
		return "", errors.New("no model is deployed: run `edgeplan apply` first")
	case len(names) > 1:
		return "", fmt.Errorf("one model can be named, and %d were: %s", len(names), strings.Join(names, ", "))
	case len(names) == 0 && len(deployed) > 1:
		return "", fmt.Errorf("several models are deployed; name one of them: %s", strings.Join(deployed, ", "))
	case len(names) == 0:
		return deployed[0], nil
	}
	name := strings.TrimPrefix(names[0], "model.")
	if _, ok := state.Models[name]; !ok {
		return "", fmt.Errorf("model %q is not deployed; these are: %s", name, strings.Join(deployed, ", "))
	}
	return name, nil
}

// readInputs gives a tensor for every input of the model, from files or a seed.
func readInputs(options inferFlags, wanted []tensor.Info) ([]tensor.Tensor, error) {
	if options.random != nil {
		if len(options.files) > 0 {
			return nil, errors.New("-random and -input exclude each other: give one of them")
		}
		return randomInputs(wanted, *options.random)
	}
	files, err := assignFiles(options.files, wanted)
	if err != nil {
		return nil, err
	}
	var inputs []tensor.Tensor
	for _, info := range wanted {
		value, err := readTensor(files[info.Name])
		if err != nil {
			return nil, err
		}
		value.Name = info.Name
		if value.Type != info.Type || !slices.Equal(value.Shape, info.Shape) {
			return nil, fmt.Errorf("%s: input %q must be %s %v, and the file holds %s %v",
				files[info.Name], info.Name, info.Type, info.Shape, value.Type, value.Shape)
		}
		inputs = append(inputs, value)
	}
	return inputs, nil
}

func randomInputs(wanted []tensor.Info, seed uint64) ([]tensor.Tensor, error) {
	var inputs []tensor.Tensor
	for _, info := range wanted {
		value, err := tensor.Random(info, seed)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, value)
	}
	return inputs, nil
}

// assignFiles pairs -input values with the model's inputs. A file without a
// name is the only input's.
func assignFiles(given []string, wanted []tensor.Info) (map[string]string, error) {
	files := map[string]string{}
	names := map[string]bool{}
	for _, info := range wanted {
		names[info.Name] = true
	}
	for _, text := range given {
		name, path, named := strings.Cut(text, "=")
		if !named || !names[name] {
			if len(wanted) != 1 || (named && !fileExists(text)) {
				return nil, fmt.Errorf("-input %s: write NAME=FILE with NAME one of %s", text, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
			}
			name, path = wanted[0].Name, text
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("-input %s: input %q was given twice", text, name)
		}
		files[name] = path
	}
	for _, info := range wanted {
		if files[info.Name] == "" {
			return nil, fmt.Errorf("input %q (%s %v) is missing: give -input %s=FILE, or -random SEED", info.Name, info.Type, info.Shape, info.Name)
		}
	}
	return files, nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readTensor(path string) (tensor.Tensor, error) {
	if strings.HasSuffix(path, ".pb") {
		return onnx.ReadTensor(path)
	}
	file, err := os.Open(path)
	if err != nil {
		return tensor.Tensor{}, err
	}
	defer file.Close()
	value, err := tensor.ReadNPY(file)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w (inputs are .npy or TensorProto .pb files)", path, err)
	}
	return value, nil
}

// writeOutputs writes .npy files, or JSON on standard output.
func (c *cli) writeOutputs(out string, outputs []tensor.Tensor) error {
	if out == "" {
		encoded, err := tensor.EncodeJSON(outputs)
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(append(encoded, '\n'))
		return err
	}
	info, err := os.Stat(out)
	folder := strings.HasSuffix(out, string(filepath.Separator)) || err == nil && info.IsDir()
	if len(outputs) == 1 && !folder {
		return writeNPY(out, outputs[0])
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, output := range outputs {
		if err := writeNPY(filepath.Join(out, fileName(output.Name)+".npy"), output); err != nil {
			return err
		}
	}
	return nil
}

// fileName makes a tensor's name fit for a file.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, name)
}
