package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"strings"
)

const completionHelp = `bash|zsh|fish

Prints a completion script for your shell: commands, options, files, and the
addresses of models and slices for -target and -replace.

Examples:
  source <(edgeplan completion bash)      # in ~/.bashrc
  source <(edgeplan completion zsh)       # in ~/.zshrc, after compinit
  edgeplan completion fish | source       # in ~/.config/fish/config.fish
`

var (
	//go:embed completions/edgeplan.bash
	bashCompletion string
	//go:embed completions/edgeplan.zsh
	zshCompletion string
	//go:embed completions/edgeplan.fish
	fishCompletion string
)

// shells are what there is a completion script for.
func shells() map[string]string {
	return map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
}

func runCompletion(_ context.Context, c *cli, args []string) error {
	names, err := c.parse(flag.NewFlagSet("completion", flag.ContinueOnError), completionHelp, args)
	if err != nil {
		return err
	}
	if len(names) != 1 || shells()[names[0]] == "" {
		return fmt.Errorf("name your shell: %s", strings.Join(sortedKeys(shells()), ", "))
	}
	fmt.Fprint(c.stdout, shells()[names[0]])
	return nil
}
