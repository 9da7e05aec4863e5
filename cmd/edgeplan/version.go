package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"

	"github.com/edgeplan/edgeplan/internal/version"
)

const versionHelp = `[options]

Prints the version of edgeplan and the platform it runs on.
`

func runVersion(_ context.Context, c *cli, args []string) error {
	if err := c.parseNone(flag.NewFlagSet("version", flag.ContinueOnError), versionHelp, args); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "edgeplan v%s\non %s/%s\n", version.Version, runtime.GOOS, runtime.GOARCH)
	return nil
}
