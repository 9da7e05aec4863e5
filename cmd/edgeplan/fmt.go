package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/edgeplan/edgeplan/config"
)

// Exit codes of fmt.
const (
	exitUnparsed    = 2 // a file cannot be parsed, read or written
	exitUnformatted = 3 // -check: a file would change
)

const fmtHelp = `[options] [TARGET...]

Gives configuration and variables files their canonical layout: indents, and
equals signs below each other. Nothing but space changes. A TARGET is a file, a
folder, or - for standard input, which is written to standard output; without
one it is the configuration folder. The names of the files that changed are
printed. JSON files are left alone.

Examples:
  edgeplan fmt -recursive
  edgeplan fmt -check -diff       for continuous integration
  edgeplan fmt - < in.hcl > out.hcl

Exit codes: 0 done; 2 a file cannot be parsed, read or written (the others are
formatted all the same); 3 with -check, a file would change.
`

// formatter formats files one after the other.
type formatter struct {
	*cli
	write, list, diff, check, recursive bool

	changed bool
	failed  bool
}

func runFmt(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("fmt", flag.ContinueOnError)
	f := &formatter{cli: c}
	flags.BoolVar(&f.check, "check", false, "write nothing, and exit with 3 when a file would change")
	flags.BoolVar(&f.diff, "diff", false, "print what changes")
	flags.BoolVar(&f.list, "list", true, "print the names of files that change")
	flags.BoolVar(&f.recursive, "recursive", false, "go into the folders of a folder too, but no hidden ones")
	flags.BoolVar(&f.write, "write", true, "write files; -write=false only tells what would change")
	targets, err := c.parse(flags, fmtHelp, args)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		targets = []string{c.dir}
	}
	f.write = f.write && !f.check
	for _, target := range targets {
		if ctx.Err() != nil {
			return errors.New("interrupted: the files not named here are as they were")
		}
		f.target(target)
	}
	return f.status()
}

func (f *formatter) status() error {
	switch {
	case f.failed:
		return exitStatus(exitUnparsed)
	case f.check && f.changed:
		return exitStatus(exitUnformatted)
	}
	return nil
}

// fail reports an error about one target; the others are still formatted.
func (f *formatter) fail(err error) {
	f.failed = true
	f.printError(err)
}

// target formats one argument: files of a folder, a file, or standard input.
func (f *formatter) target(target string) {
	if target == "-" {
		f.standardInput()
		return
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		f.fail(err)
	case info.IsDir():
		f.folder(target)
	case !strings.HasSuffix(target, ".hcl"):
		f.fail(fmt.Errorf("%s does not end in .hcl, and fmt formats only such files", target))
	default:
		f.file(target)
	}
}

func (f *formatter) folder(root string) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			f.fail(err)
		case entry.IsDir() && path != root && (!f.recursive || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case !entry.IsDir() && config.Formattable(entry.Name()):
			f.file(path)
		}
		return nil
	})
	if err != nil {
		f.fail(err)
	}
}

func (f *formatter) standardInput() {
	src, err := io.ReadAll(f.stdin)
	if err != nil {
		f.fail(fmt.Errorf("read standard input: %w", err))
		return
	}
	formatted, ok := f.format("<stdin>", src)
	switch {
	case !ok:
	case f.diff:
		f.stdout.Write(diff.Diff("<stdin>", src, "<formatted>", formatted))
	case !f.check:
		f.stdout.Write(formatted)
	}
}

func (f *formatter) file(path string) {
	src, err := readRegular(path)
	if err != nil {
		f.fail(err)
		return
	}
	formatted, ok := f.format(path, src)
	if !ok || string(formatted) == string(src) {
		return
	}
	if f.write {
		if err := replace(path, formatted); err != nil {
			f.fail(err)
			return
		}
	}
	if f.list {
		fmt.Fprintln(f.stdout, path)
	}
	if f.diff {
		f.stdout.Write(diff.Diff("old/"+path, src, "new/"+path, formatted))
	}
}

// readRegular reads a file and refuses a pipe or a device, which may never end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.ReadFile(path)
}

// format is false when the text cannot be parsed, which it reports.
func (f *formatter) format(name string, src []byte) ([]byte, bool) {
	formatted, diags := config.Format(name, src)
	if f.cli.check(diags, map[string]*hcl.File{name: {Bytes: src}}) != nil {
		f.failed = true
		return nil, false
	}
	if string(formatted) != string(src) {
		f.changed = true
	}
	return formatted, true
}

// replace gives a file new content in one step, with the permissions it has. Of a
// symbolic link it is the file behind it that changes.
func replace(path string, content []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(target, content, info.Mode().Perm(), renameio.WithStaticPermissions(info.Mode().Perm())); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
