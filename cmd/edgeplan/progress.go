package main

import (
	"fmt"
	"log/slog"

	"github.com/edgeplan/edgeplan/deployer"
)

// progress prints what the deployer does, a line for each step of each device.
func (c *cli) progress(e deployer.Event) {
	if e.Message == "" {
		return
	}
	slog.Debug("step", "node", e.Node, "kind", e.Kind, "bytes", e.Total, "message", e.Message)
	fmt.Fprintf(c.stderr, "%s: %s\n", e.Node, e.Message)
}
