package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"

	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

const versionHelp = `[options]

Prints the version of edgeplan and the platform it runs on.

Examples:
  edgeplan version
  edgeplan -version -json
`

func runVersion(_ context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print it as JSON, with the versions of the file formats")
	if err := c.parseNone(flags, versionHelp, args); err != nil {
		return err
	}
	if *asJSON {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{
			"edgeplan_version": version.Version,
			"platform":         runtime.GOOS + "/" + runtime.GOARCH,
			"formats":          map[string]int{"state": statefile.FormatVersion, "plan": planFormat, "saved_plan": plan.SavedVersion},
		})
	}
	fmt.Fprintf(c.stdout, "edgeplan v%s\non %s/%s\n", version.Version, runtime.GOOS, runtime.GOARCH)
	return nil
}
