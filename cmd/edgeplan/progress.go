package main

import (
	"fmt"

	"github.com/edgeplan/edgeplan/deployer"
)

// progress prints what the deployer does, a line for each step of each device.
func (c *cli) progress(e deployer.Event) {
	if e.Message == "" {
		return
	}
	fmt.Fprintf(c.stderr, "%s: %s\n", e.Node, e.Message)
}
