package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/edgeplan/edgeplan/statefile"
)

const stateListHelp = `[options] [ADDRESS...]

Lists the addresses of the nodes, models and slices in the state, a line each.
With addresses it lists these only; node.pi stands for all of its instances.
`

func runStateList(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("state list", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print a JSON array")
	wanted, err := c.parse(flags, stateListHelp, args)
	if err != nil {
		return err
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	list, err := selected(state, wanted)
	if err != nil {
		return err
	}
	if *asJSON {
		return c.printJSON(list)
	}
	for _, address := range list {
		fmt.Fprintln(c.stdout, address)
	}
	return nil
}

// selected are the addresses that those wanted stand for: all when none is.
func selected(state *statefile.State, wanted []string) ([]string, error) {
	all := statefile.Addresses(state)
	if len(wanted) == 0 {
		return append([]string{}, all...), nil
	}
	for _, address := range wanted {
		if !slices.ContainsFunc(all, func(a string) bool { return isInstance(a, address) }) {
			return nil, known(state, address)
		}
	}
	return slices.DeleteFunc(all, func(a string) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return isInstance(a, w) })
	}), nil
}

// isInstance says whether an address is another, or one of its instances.
func isInstance(address, of string) bool {
	return address == of || strings.HasPrefix(address, of+"[")
}

const stateShowHelp = `[options] ADDRESS

Shows all that the state knows of one node, model or slice.

Examples:
  edgeplan state show 'node.pi["hall"]'
  edgeplan state show -json 'slice.resnet50[0]'
`

func runStateShow(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("state show", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	addresses, err := c.parse(flags, stateShowHelp, args)
	if err != nil {
		return err
	}
	if len(addresses) != 1 {
		return fmt.Errorf("edgeplan state show takes one address, and %d were given: `edgeplan state list` lists them", len(addresses))
	}
	state, err := c.loadState(ctx)
	if err != nil {
		return err
	}
	if err := known(state, addresses[0]); err != nil {
		return err
	}
	thing := statefile.Find(state, addresses[0])
	if *asJSON {
		return c.printJSON(thing)
	}
	return c.printThing(addresses[0], thing)
}

// printThing shows a part of the state as it would be written in HCL.
func (c *cli) printThing(address string, thing any) error {
	encoded, err := json.Marshal(thing)
	if err != nil {
		return err
	}
	ty, err := ctyjson.ImpliedType(encoded)
	if err != nil {
		return err
	}
	value, err := ctyjson.Unmarshal(encoded, ty)
	if err != nil {
		return err
	}
	var attributes strings.Builder
	writeAttributes(&attributes, value)
	fmt.Fprintf(c.stdout, "# %s\n%s", address, hclwrite.Format([]byte(attributes.String())))
	return nil
}
