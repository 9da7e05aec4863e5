package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
)

const modelHelp = `[options] FILE

Describes an ONNX model as edgeplan sees it: what it takes and gives, its weights
and its work, and what crosses every place where it can be cut. Cut b lies before
node b of the order, from 0 to the number of nodes. The best cuts are those that
carry the fewest bytes without splitting nodes that the engine fuses, spread over
the model. No weight is read.

Tensors that the file does not describe need the engine: the one that
` + "`edgeplan init`" + ` collected, else the one in the per-user cache, else npm's.

Examples:
  edgeplan model resnet50.onnx
  edgeplan model bert.onnx -dim batch=1 -dim sequence=128 -svg bert.svg
  edgeplan model resnet50.onnx -json | jq '.cuts[] | select(.splits_fusion | not)'
`

func runModel(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("model", flag.ContinueOnError)
	dims := dimensions{}
	dims.add(flags)
	asJSON := flags.Bool("json", false, "print everything as JSON")
	svg := flags.String("svg", "", "write the picture to `FILE` as SVG")
	positional, err := c.parse(flags, modelHelp, args)
	if err != nil {
		return err
	}
	path, err := oneFile("model", positional)
	if err != nil {
		return err
	}
	chain, err := loadModelFile(ctx, path, dims, c.engine(ctx))
	if err != nil {
		return err
	}
	if *svg != "" {
		if err := writePicture(*svg, profileSVG(chain)); err != nil {
			return err
		}
	}
	if *asJSON {
		return c.printModelJSON(chain)
	}
	c.printChain(chain)
	return nil
}

// writePicture writes a file whole or not at all.
func writePicture(path string, picture []byte) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("-svg %s: this is a folder: give the name of a file", path)
	}
	return writeWhole(path, picture, 0o644)
}

// The JSON of `edgeplan model -json`.
type (
	modelJSON struct {
		Nodes           int           `json:"nodes"`
		ParameterBytes  int64         `json:"parameter_bytes"`
		FLOPs           int64         `json:"flops"`
		Inputs          []tensor.Info `json:"inputs"`
		Outputs         []tensor.Info `json:"outputs"`
		Segments        []segmentJSON `json:"segments"`
		Cuts            []cutJSON     `json:"cuts"`
		CandidatePoints []int         `json:"candidate_points"`
	}
	segmentJSON struct {
		Node            string `json:"node"`
		Op              string `json:"op"`
		FLOPs           int64  `json:"flops"`
		WeightBytes     int64  `json:"weight_bytes"`
		ActivationBytes int64  `json:"activation_bytes"`
	}
	cutJSON struct {
		Position     int      `json:"position"`
		Bytes        int64    `json:"bytes"`
		Tensors      []string `json:"tensors"`
		SplitsFusion bool     `json:"splits_fusion"`
		Uncuttable   string   `json:"uncuttable,omitempty"` // why no device can send what crosses
	}
)

func (c *cli) printModelJSON(chain *onnx.Chain) error {
	m := modelJSON{
		Nodes: len(chain.Segments), ParameterBytes: chain.ParameterBytes, FLOPs: chain.FLOPs,
		Inputs: chain.Inputs, Outputs: chain.Outputs, CandidatePoints: chain.CandidatePoints(),
	}
	for _, s := range chain.Segments {
		m.Segments = append(m.Segments, segmentJSON(s))
	}
	for _, cut := range chain.Cuts {
		names := []string{}
		for _, t := range cut.Tensors {
			names = append(names, t.Name)
		}
		m.Cuts = append(m.Cuts, cutJSON{cut.Position, cut.Bytes, names, cut.SplitsFusion, cut.Uncuttable})
	}
	encoded, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", chain.Path, err)
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", encoded)
	return err
}
