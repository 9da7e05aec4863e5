package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/statefile"
)

// completeCommand is what the completion scripts call with the words behind
// `edgeplan` up to the cursor. It prints what the last may become, a line each,
// with a description behind a tab where there is one.
const completeCommand = "__complete"

// completion stops a command once it has said which options it takes.
type completion struct{ flags *flag.FlagSet }

// runComplete never fails: a shell has no use for an error here.
func runComplete(ctx context.Context, c *cli, words []string) {
	c.stderr = io.Discard
	for _, candidate := range c.candidates(ctx, words) {
		fmt.Fprintln(c.stdout, candidate)
	}
}

func (c *cli) candidates(ctx context.Context, words []string) []string {
	for len(words) > 1 && strings.HasPrefix(words[0], "-") {
		if name, dir, given := cutFlag(words[0]); given && name == "chdir" {
			c.dir = dir
		}
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	if len(words) == 1 {
		return commandCandidates(words[0])
	}
	cmd, ok := findCommand(words[0])
	if !ok {
		return nil
	}
	return c.argumentCandidates(ctx, cmd, words[1:])
}

// cutFlag takes -name=value apart.
func cutFlag(word string) (name, value string, given bool) {
	name, value, given = strings.Cut(word, "=")
	return strings.TrimLeft(name, "-"), value, given
}

func commandCandidates(word string) []string {
	if name, dir, given := cutFlag(word); given && name == "chdir" {
		return behind(word[:len(word)-len(dir)], foldersOnly(files(dir)))
	}
	if strings.HasPrefix(word, "-") {
		return startingWith(word, []string{"-chdir=", "-help", "-version"})
	}
	var list []string
	for _, cmd := range commands() {
		list = append(list, cmd.name+"\t"+cmd.summary)
	}
	return startingWith(word, list)
}

// argumentCandidates completes an option, its value, or an argument.
func (c *cli) argumentCandidates(ctx context.Context, cmd command, words []string) []string {
	word, before := words[len(words)-1], words[:len(words)-1]
	flags := c.flagsOf(ctx, cmd, before)
	name, value, given := cutFlag(word)
	switch {
	case strings.HasPrefix(word, "-") && given:
		return behind(word[:len(word)-len(value)], c.valueCandidates(name, value))
	case strings.HasPrefix(word, "-"):
		return startingWith(word, flagCandidates(flags))
	}
	if len(before) > 0 {
		last := before[len(before)-1]
		name, _, given := cutFlag(last)
		if f := flags.Lookup(name); strings.HasPrefix(last, "-") && !given && f != nil && !isBool(f) {
			return c.valueCandidates(name, word)
		}
	}
	return c.positionalCandidates(cmd.name, before, word)
}

// flagsOf lets a command register its options, and nothing more.
func (c *cli) flagsOf(ctx context.Context, cmd command, words []string) *flag.FlagSet {
	c.complete = &completion{flags: flag.NewFlagSet("", flag.ContinueOnError)}
	_ = cmd.run(ctx, c, words)
	return c.complete.flags
}

func flagCandidates(flags *flag.FlagSet) []string {
	list := []string{"-help\tprint the help"}
	flags.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if !isBool(f) {
			name += "="
		}
		list = append(list, name+"\t"+usage)
	})
	return list
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// valueCandidates completes the value of an option.
func (c *cli) valueCandidates(flag, value string) []string {
	switch flag {
	case "out", "var-file", "input", "log", "problem", "solution":
		return files(value)
	case "target":
		return startingWith(value, c.modelAddresses())
	case "only":
		return startingWith(value, c.measurable())
	case "exclude":
		return startingWith(strings.ReplaceAll(value, `\`, ""), c.nodeAddresses()) // a shell may give it as it was typed
	case "replace":
		return startingWith(value, c.sliceAddresses())
	case "refresh":
		return startingWith(value, []string{string(refreshNot), string(refreshFull), string(refreshQuick)})
	case "lock":
		return startingWith(value, []string{"false", "true"})
	}
	return nil
}

func (c *cli) positionalCandidates(command string, before []string, word string) []string {
	switch command {
	case "state":
		if len(before) > 0 {
			return startingWith(word, statefile.Addresses(c.deployed()))
		}
		var names []string
		for _, sub := range stateCommands() {
			names = append(names, sub.name+"\t"+sub.summary)
		}
		return startingWith(word, names)
	case "output":
		return startingWith(word, sortedKeys(c.deployed().Outputs))
	case "apply", "show", "model", "slice", "solve", "simulate", "fmt":
		return files(word)
	case "infer", "bench", "status", "logs":
		return startingWith(word, sortedKeys(c.deployed().Models))
	case "completion":
		return startingWith(word, sortedKeys(shells()))
	}
	return nil
}

// deployed is the state, or an empty one where it cannot be read.
func (c *cli) deployed() *statefile.State {
	state, err := c.loadState(context.Background())
	if err != nil {
		return statefile.New()
	}
	return state
}

// configuration is that of the folder, or an empty one where it cannot be read.
func (c *cli) configuration() *config.Config {
	cfg, diags := config.Load(c.dir, config.Options{Version: version.Version, Environment: os.Environ()})
	if diags.HasErrors() {
		return &config.Config{}
	}
	return cfg
}

// modelAddresses are of what is deployed and what is configured.
func (c *cli) modelAddresses() []string {
	var all []string
	for name := range c.deployed().Models {
		all = append(all, "model."+name)
	}
	for _, model := range c.configuration().Models {
		all = append(all, model.Address)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// measurable is what -only of probe takes.
func (c *cli) measurable() []string {
	all := append([]string{kindLinks, kindNodes, kindProfiles}, c.modelAddresses()...)
	return append(all, c.nodeAddresses()...)
}

// nodeAddresses are of what is deployed and what is configured.
func (c *cli) nodeAddresses() []string {
	all := sortedKeys(c.deployed().Nodes)
	for _, node := range c.configuration().Nodes {
		all = append(all, node.Address)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *cli) sliceAddresses() []string {
	var all []string
	models := c.deployed().Models
	for _, name := range sortedKeys(models) {
		for i := range models[name].Slices {
			all = append(all, fmt.Sprintf("slice.%s[%d]", name, i))
		}
	}
	return all
}

// files are the files and folders that a path may become; folders end in a slash.
func files(path string) []string {
	dir, start := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Join(".", dir))
	if filepath.IsAbs(dir) {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil
	}
	var list []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, start) || start == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			name += "/"
		}
		list = append(list, dir+name)
	}
	return list
}

func foldersOnly(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool { return !strings.HasSuffix(path, "/") })
}

func startingWith(start string, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.HasPrefix(s, start) })
}

func behind(prefix string, all []string) []string {
	var list []string
	for _, s := range all {
		list = append(list, prefix+s)
	}
	return list
}
