package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/edgeplan/edgeplan/internal/unitfile"
)

// watchUnit is what the unit of a watch is made of (systemd.service(5)).
type watchUnit struct {
	User    string
	Here    string // where it runs, for what its options name
	Dir     string // the configuration folder
	Program string
	Words   []string // that follow the program
	Writes  []string // folders that it writes to
}

//go:embed watch.service.tmpl
var watchUnitText string

var watchUnitTemplate = template.Must(template.New("watch.service").Funcs(template.FuncMap{
	"quotePath": unitfile.QuotePath, "path": unitfile.Specifiers}).Parse(watchUnitText))

// Command is the line that runs it.
func (u watchUnit) Command() string {
	words := []string{unitfile.Program(u.Program)}
	for _, word := range u.Words {
		words = append(words, unitfile.Quote(word))
	}
	return strings.Join(words, " ")
}

func (u watchUnit) render() (string, error) {
	if err := unitfile.Check(slices.Concat([]string{u.User, u.Here, u.Dir, u.Program}, u.Words, u.Writes)...); err != nil {
		return "", err
	}
	var out strings.Builder
	err := watchUnitTemplate.Execute(&out, u)
	return out.String(), err
}

// printWatchUnit prints the unit that runs this command from where it is run now, as the
// user who asks for it: with that user's keys and ssh settings.
func (c *cli) printWatchUnit(ctx context.Context, args []string, log string) error {
	u, err := c.watchUnit(ctx, args, log)
	if err != nil {
		return err
	}
	text, err := u.render()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.stdout, text)
	return err
}

func (c *cli) watchUnit(ctx context.Context, args []string, log string) (watchUnit, error) {
	here, err := os.Getwd()
	if err != nil {
		return watchUnit{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return watchUnit{}, err
	}
	who, err := user.Current()
	if err != nil {
		return watchUnit{}, err
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return watchUnit{}, err
	}
	u := watchUnit{User: who.Username, Here: here, Dir: dir, Program: program}
	if dir != here {
		u.Words = append(u.Words, "-chdir="+dir)
	}
	u.Words = append(u.Words, "watch")
	for _, arg := range args {
		if name, _, _ := cutFlag(arg); name != "print-unit" {
			u.Words = append(u.Words, arg)
		}
	}
	u.Writes, err = c.watchWrites(ctx, dir, who.HomeDir, log)
	return u, err
}

// watchWrites are the folders into which watch writes, sorted.
func (c *cli) watchWrites(ctx context.Context, dir, home, log string) ([]string, error) {
	writes, err := c.stateFolders(ctx)
	if err != nil {
		return nil, err
	}
	writes = append(writes, dir)
	if log != "" {
		path, err := filepath.Abs(log)
		if err != nil {
			return nil, err
		}
		writes = append(writes, filepath.Dir(path))
	}
	if ssh := filepath.Join(home, ".ssh"); isFolder(ssh) { // host_key_checking = "accept-new" adds to known_hosts
		writes = append(writes, ssh)
	}
	slices.Sort(writes)
	return slices.Compact(writes), nil
}

// stateFolders are where a state that is a file on this machine is written: beside it are its
// lock and its backup, and it may be a link to elsewhere.
func (c *cli) stateFolders(ctx context.Context) ([]string, error) {
	settings, err := c.stateSettings()
	if err != nil || settings.Type != "" && settings.Type != "local" {
		return nil, err
	}
	states, err := c.openState(ctx, settings)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(states.Location())
	if err != nil {
		return nil, err
	}
	folders := []string{filepath.Dir(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		folders = append(folders, filepath.Dir(target))
	}
	return folders, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
