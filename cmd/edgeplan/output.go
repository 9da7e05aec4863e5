package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/edgeplan/edgeplan/internal/suggest"
	"github.com/edgeplan/edgeplan/statefile"
)

const outputHelp = `[options] [NAME]

Prints the outputs of the last apply, or one of them. Sensitive outputs are not
kept in the state, and so are not printed.

Examples:
  edgeplan output
  edgeplan output -raw throughput
  edgeplan output -json | jq .throughput.value
`

func runOutput(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("output", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON: an object of all outputs with type and value, or the value of one")
	raw := flags.Bool("raw", false, "print the text, number or truth value of one output, without quotes and line end")
	names, err := c.parse(flags, outputHelp, args)
	switch {
	case err != nil:
		return err
	case len(names) > 1:
		return fmt.Errorf("edgeplan output takes one name, and %d were given", len(names))
	case *asJSON && *raw:
		return errors.New("-json and -raw exclude each other: choose one")
	case *raw && len(names) == 0:
		return errors.New("-raw prints one output: give its name")
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return c.printAllOutputs(state, *asJSON)
	}
	value, ok := state.Outputs[names[0]]
	if !ok {
		return fmt.Errorf("the state has no output %q. %s An output is there once it was applied, unless it is sensitive",
			names[0], suggest.Sentence(names[0], sortedKeys(state.Outputs), "output"))
	}
	return c.printOutput(names[0], value, *raw)
}

func (c *cli) printAllOutputs(state *statefile.State, asJSON bool) error {
	if !asJSON {
		if len(state.Outputs) == 0 {
			c.notef("%s The state has no outputs. An output is there once it was applied.", c.paint(c.stderr, yellow, "Warning:"))
		}
		for _, name := range sortedKeys(state.Outputs) {
			fmt.Fprintf(c.stdout, "%s = %s\n", name, state.Outputs[name])
		}
		return nil
	}
	type typed struct {
		Sensitive bool            `json:"sensitive"`
		Type      json.RawMessage `json:"type"`
		Value     json.RawMessage `json:"value"`
	}
	all := map[string]typed{}
	for name, value := range state.Outputs {
		ty, err := outputType(value)
		if err != nil {
			return fmt.Errorf("output %s: %w", name, err)
		}
		all[name] = typed{Type: ty, Value: value}
	}
	return c.printJSON(all)
}

// outputType is the type of a value, written as Terraform does: "number", or
// ["object", {…}].
func outputType(value json.RawMessage) (json.RawMessage, error) {
	ty, err := ctyjson.ImpliedType(value)
	if err != nil {
		return nil, err
	}
	return ctyjson.MarshalType(ty)
}

func (c *cli) printOutput(name string, value json.RawMessage, raw bool) error {
	if !raw {
		fmt.Fprintf(c.stdout, "%s\n", value)
		return nil
	}
	var text string
	switch {
	case json.Unmarshal(value, &text) == nil && value[0] == '"':
		fmt.Fprint(c.stdout, text)
	case value[0] == '[' || value[0] == '{' || string(value) == "null":
		return fmt.Errorf("-raw prints text, numbers and truth values, and output %q is %s: use -json", name, kindOf(value))
	default:
		fmt.Fprintf(c.stdout, "%s", value)
	}
	return nil
}

func kindOf(value json.RawMessage) string {
	switch value[0] {
	case '[':
		return "a list"
	case '{':
		return "an object"
	}
	return "null"
}
