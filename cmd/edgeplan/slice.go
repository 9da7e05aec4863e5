package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
)

const sliceHelp = `[options] -at POSITIONS -out DIR FILE

Cuts an ONNX model before the nodes at the given positions, which
` + "`edgeplan model`" + ` lists, and writes every slice as an ONNX model that any runtime
opens: slice-0.onnx, slice-1.onnx and so on. Weights are plain files beside them,
named by the XXH3 digest of their content, which slices share; a weight that is there
already is kept. Slices of an earlier run in the same folder are replaced.

The outputs of a slice are the inputs of the next, by name. With -verify the whole
model and the slices are run on the same inputs, made from a seed or read from
files, and compared: at optimisation "disabled" not a bit may differ, unless a cut
carries float16; at other levels 1e-5 of the largest value for float32.

Examples:
  edgeplan slice resnet50.onnx -at 40,80 -out slices -verify
  edgeplan slice bert.onnx -dim batch=1 -dim sequence=128 -at 210 -out slices
`

// sliceFlags are the options of slice.
type sliceFlags struct {
	dims   dimensions
	at     []int
	out    string
	verify bool
	level  ort.Level
	seed   uint64
	files  []string // -input values
}

func (f *sliceFlags) add(flags *flag.FlagSet) {
	f.dims, f.level = dimensions{}, ort.Extended
	f.dims.add(flags)
	flags.Func("at", "cut before the nodes at `POSITIONS`, as in 40,80", func(text string) (err error) {
		f.at, err = parsePositions(f.at, text)
		return err
	})
	flags.StringVar(&f.out, "out", "", "write the slices into `DIR`")
	flags.BoolVar(&f.verify, "verify", false, "run the whole model and the slices, and compare")
	flags.Func("optimization", "`LEVEL` of the engine for -verify: disabled, basic, extended (the default) or all", func(text string) (err error) {
		f.level, err = ort.ParseLevel(text)
		return err
	})
	flags.Uint64Var(&f.seed, "random", 1, "make the inputs of -verify from `SEED`")
	flags.Func("input", "read an input of -verify from `[NAME=]FILE` (.npy or .pb); may be repeated", func(text string) error {
		f.files = append(f.files, text)
		return nil
	})
}

// parsePositions appends whole numbers between commas.
func parsePositions(list []int, text string) ([]int, error) {
	for _, part := range strings.Split(text, ",") {
		b, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is no position: write whole numbers between commas, as in -at 40,80", part)
		}
		list = append(list, b)
	}
	return list, nil
}

func runSlice(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("slice", flag.ContinueOnError)
	var options sliceFlags
	options.add(flags)
	positional, err := c.parse(flags, sliceHelp, args)
	if err != nil {
		return err
	}
	path, err := options.check(positional)
	if err != nil {
		return err
	}
	engine := c.engine(ctx)
	chain, err := loadModelFile(ctx, path, options.dims, engine)
	if err != nil {
		return err
	}
	slices, err := chain.WriteSlices(ctx, options.out, options.at)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted before any slice was written: the weights that are in %s are whole, and the same command goes on from them", options.out)
	}
	if err != nil {
		return err
	}
	printTable(c.stdout, sliceRows(chain, slices))
	if !options.verify {
		return nil
	}
	return c.verifySlices(chain, slices, options, engine)
}

// check finds what is missing on the command line.
func (f *sliceFlags) check(positional []string) (path string, err error) {
	path, err = oneFile("slice", positional)
	switch {
	case err != nil:
		return "", err
	case len(f.at) == 0:
		return "", errors.New("edgeplan slice needs positions to cut at: give -at, as in -at 40,80; `edgeplan model` lists them")
	case f.out == "":
		return "", errors.New("edgeplan slice needs a folder for the slices: give -out DIR")
	case !f.verify && len(f.files) > 0:
		return "", errors.New("-input is for -verify, which was not given")
	}
	return path, nil
}

func sliceRows(chain *onnx.Chain, files []onnx.SliceFile) [][]string {
	rows := [][]string{{"file", "nodes of the graph", "weights", "takes", "gives"}}
	for _, f := range files {
		first, last := chain.Segments[f.First], chain.Segments[f.Last]
		rows = append(rows, []string{
			f.Path,
			printable(fmt.Sprintf("%s .. %s (%d)", first.Node, last.Node, f.Last-f.First+1)),
			fmt.Sprintf("%s in %s", quantity.FormatBytes(f.WeightBytes), count(len(f.Weights), "file")),
			carries(chain.Cuts[f.First]),
			carries(chain.Cuts[f.Last+1]),
		})
	}
	return rows
}

// carries says what crosses a cut.
func carries(cut onnx.Cut) string {
	size := quantity.FormatBytes(cut.Bytes)
	if cut.Uncuttable != "" {
		size = "size not known before it runs"
	}
	return fmt.Sprintf("%s (%s)", printable(tensorNames(cut.Tensors)), size)
}
