package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/onnx"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// maxPlanBytes bounds what is read as a saved plan.
const maxPlanBytes = 1 << 30

// savePlan writes a plan to a file that only its owner reads, whole or not at all.
func (c *cli) savePlan(path string, p *plan.Plan) error {
	kept := *p
	kept.Sources = map[string]plan.Source{}
	for name, source := range p.Sources {
		source.Path = c.inside(source.Path)
		kept.Sources[name] = source
	}
	content, err := (&plan.Saved{Plan: &kept, Version: version.Version}).Encode()
	if err != nil {
		return err
	}
	if err := writePrivate(path, content); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// inside makes a path relative to the folder where it lies in it, so that the
// plan can be carried out in another copy of the folder.
func (c *cli) inside(path string) string {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(dir, path)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return path
	}
	return relative
}

// checkOverwrite refuses to put a plan in the place of anything but a plan.
func checkOverwrite(path string) error {
	if path == "" {
		return nil
	}
	content, err := readPlanFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return checkWritable(path)
	}
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if _, err := plan.ParseSaved(content, version.Version); errors.Is(err, plan.ErrNotPlan) && len(content) > 0 {
		return fmt.Errorf("-out=%s: the file is there and is no saved plan, so it is left alone; name another file, or remove it", path)
	}
	return nil
}

func readPlanFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxPlanBytes:
		return nil, fmt.Errorf("%s is too large for a saved plan", path)
	}
	return os.ReadFile(path)
}

// readPlan reads a saved plan, with the paths of its models made whole again.
func (c *cli) readPlan(path string) (*plan.Plan, error) {
	content, err := readPlanFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the saved plan: %w", err)
	}
	saved, err := plan.ParseSaved(content, version.Version)
	if errors.Is(err, plan.ErrNotPlan) {
		return nil, fmt.Errorf("%s: %w; `edgeplan plan -out FILE` writes one", path, err)
	}
	if err != nil {
		return nil, refused(path, err)
	}
	for name, source := range saved.Plan.Sources {
		if !filepath.IsAbs(source.Path) {
			source.Path = filepath.Join(c.dir, source.Path)
			saved.Plan.Sources[name] = source
		}
	}
	return saved.Plan, nil
}

// refused says that a saved plan cannot be carried out, and what to do.
func refused(path string, err error) error {
	return fmt.Errorf("%s: %w; nothing was changed: make a new plan with `edgeplan plan -out %s`", path, err, shellWord(path))
}

// reopen checks that everything a saved plan was made from is as it was.
func (c *cli) reopen(ctx context.Context, p *plan.Plan, prior *statefile.State) error {
	if err := p.CheckState(prior); err != nil {
		return err
	}
	if err := c.reopenModels(ctx, p); err != nil {
		return err
	}
	if !p.Refreshed {
		return nil
	}
	nodes := slices.DeleteFunc(sortedKeys(p.Desired.Nodes), func(node string) bool { return slices.Contains(p.Excluded, node) })
	// What only a thorough look had found, a quick one does not find again.
	for _, full := range []bool{false, true} {
		seen, err := c.refresh(ctx, withAddresses(p), nodes, full)
		if err != nil {
			return err
		}
		if err = p.CheckDevices(seen.Drift); err == nil || full || len(seen.Drift) >= len(p.Drift) {
			return err
		}
	}
	return nil
}

// withAddresses is a plan's prior state whose devices are reached as planned.
func withAddresses(p *plan.Plan) *statefile.State {
	state := statefile.Clone(p.Prior)
	for address, node := range p.Desired.Nodes {
		if recorded, ok := state.Nodes[address]; ok {
			recorded.SSH = node.SSH
			state.Nodes[address] = recorded
		}
	}
	return state
}

// reopenModels reads the models and programs whose content goes to devices.
func (c *cli) reopenModels(ctx context.Context, p *plan.Plan) error {
	wanted := p.Wanted()
	if len(wanted) == 0 {
		return nil
	}
	set, err := artifact.Open(c.dir)
	if err != nil {
		return err
	}
	engine, err := openEngine(set)
	if err != nil {
		return err
	}
	chains := map[string]*onnx.Chain{}
	for _, name := range wanted {
		source := p.Sources[name]
		chains[name], err = onnx.Load(ctx, source.Path, onnx.Options{Dimensions: source.Dimensions, Shapes: engine})
		if ctx.Err() != nil {
			return errors.New("interrupted: nothing was changed")
		}
		if err != nil {
			return fmt.Errorf("%w: model.%s: %w", plan.ErrModelChanged, name, err)
		}
	}
	var programs plan.Input
	if err := addProgramsFor(&programs, set, architecturesOf(p.Desired)); err != nil {
		return err
	}
	return p.Reopen(chains, programs.Workers, programs.Engines)
}

func architecturesOf(s *statefile.State) []string {
	used := map[string]bool{}
	for _, node := range s.Nodes {
		used[node.Architecture] = true
	}
	return sortedKeys(used)
}

// noteEdits tells when the configuration was edited after the plan was made.
func (c *cli) noteEdits(p *plan.Plan, path string) {
	var edited []string
	for _, name := range sortedKeys(p.Configuration) {
		content, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil || plan.DigestOf(content) != p.Configuration[name] {
			edited = append(edited, name)
		}
	}
	entries, _ := os.ReadDir(c.dir)
	for _, entry := range entries {
		if _, known := p.Configuration[entry.Name()]; !known && isConfiguration(entry.Name()) {
			edited = append(edited, entry.Name())
		}
	}
	if len(edited) > 0 {
		slices.Sort(edited)
		c.warnf("%s changed since %s was made; what is carried out is the plan as it was reviewed.", strings.Join(edited, ", "), path)
	}
}

func isConfiguration(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, config.Extension) || strings.HasSuffix(name, config.JSONExtension))
}

// shellWord quotes a word for a command that is shown to be copied.
func shellWord(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+", r)
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
