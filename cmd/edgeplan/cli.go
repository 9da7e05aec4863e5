package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/diagnostic"
)

// cli is one run of the program: its streams, its folder and how it prints.
type cli struct {
	stdin   *bufio.Reader
	stdout  *output
	events  *output // standard output with -json of apply, while what people read goes to standard error
	stderr  io.Writer
	dir     string // the configuration folder
	noColor bool   // -no-color

	parallelism     int  // -parallelism
	compactWarnings bool // -compact-warnings

	leaseWait time.Duration // -lock-timeout, for the leases of devices

	complete *completion // what is being completed; nil when a command runs
	secrets  *redactor

	input       bool                  // false: nobody is asked anything
	connections *deployer.Connections // to devices, one each
}

func newCLI(stdin io.Reader, stdout, stderr io.Writer) *cli {
	return &cli{stdin: bufio.NewReader(stdin), stdout: &output{Writer: stdout}, stderr: stderr, dir: ".",
		input: mayAsk(), connections: deployer.NewConnections()}
}

// output is standard output. It remembers that writing failed, so that a full
// disk behind a redirection is an error in the end.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write to standard output: %w", err)
	}
	return n, err
}

// globalFlags takes what stands before the command.
func (c *cli) globalFlags(args []string) ([]string, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, given := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		switch name {
		case "chdir":
			if !given {
				return nil, errors.New("write -chdir=DIR, with the equals sign")
			}
			if info, err := os.Stat(value); err != nil || !info.IsDir() {
				return nil, fmt.Errorf("-chdir=%s: there is no such folder", value)
			}
			c.dir = filepath.Clean(value)
		case "version", "v":
			return append([]string{"version"}, args[1:]...), nil
		case "help", "h":
			fmt.Fprint(c.stdout, usage())
			return nil, errHelp
		default:
			return nil, fmt.Errorf("%s is no option that stands before a command (only -chdir=DIR, -version and -help are)", args[0])
		}
		args = args[1:]
	}
	return args, nil
}

// shownError is an error that has been printed as diagnostics.
type shownError struct{ diags hcl.Diagnostics }

func (e *shownError) Error() string { return e.diags.Error() }

// check prints diagnostics with the source they are about, and gives an error
// when one of them is.
func (c *cli) check(diags hcl.Diagnostics, files map[string]*hcl.File) error {
	if len(diags) == 0 {
		return nil
	}
	if c.compactWarnings && !diags.HasErrors() {
		c.printCompact(diags)
		return nil
	}
	text := diagnostic.Text{Width: c.width(c.stderr), Color: c.color(c.stderr)}
	if err := text.Write(c.stderr, diags, files); err != nil {
		return fmt.Errorf("print diagnostics: %w", err)
	}
	if diags.HasErrors() {
		return &shownError{diags}
	}
	return nil
}

func (c *cli) printError(err error) {
	fmt.Fprintf(c.stderr, "%s %v\n", c.paint(c.stderr, red, "Error:"), err)
}

// The colours that are used, as SGR parameters.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

// color says whether a stream gets colours: a terminal, unless -no-color,
// NO_COLOR (no-color.org) or TERM=dumb says otherwise.
func (c *cli) color(stream io.Writer) bool {
	if c.noColor || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return isTerminal(stream)
}

func isTerminal(stream any) bool {
	if o, ok := stream.(*output); ok {
		stream = o.Writer
	}
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (c *cli) paint(stream io.Writer, sgr, text string) string {
	if !c.color(stream) {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// width is the columns of a terminal, or 78 elsewhere.
func (c *cli) width(stream io.Writer) uint {
	if file, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return uint(columns)
		}
	}
	return 78
}

// printCompact prints warnings as one line each, alike ones together.
func (c *cli) printCompact(diags hcl.Diagnostics) {
	var order []string
	places := map[string][]string{}
	for _, d := range diags {
		if _, known := places[d.Summary]; !known {
			order = append(order, d.Summary)
			places[d.Summary] = nil
		}
		if d.Subject != nil {
			places[d.Summary] = append(places[d.Summary], fmt.Sprintf("%s:%d", d.Subject.Filename, d.Subject.Start.Line))
		}
	}
	for _, summary := range order {
		line := summary
		if at := places[summary]; len(at) > 0 {
			line += " at " + strings.Join(at, ", ")
		}
		c.warnf("%s", line)
	}
}

// warnf prints a warning.
func (c *cli) warnf(format string, args ...any) {
	c.notef("%s "+format, append([]any{c.paint(c.stderr, yellow, "Warning:")}, args...)...)
}

// notef prints progress.
func (c *cli) notef(format string, args ...any) {
	fmt.Fprintf(c.stderr, format+"\n", args...)
}

// approve asks a question that only `yes` approves.
func (c *cli) approve(ctx context.Context, question string) error {
	answer, err := c.prompt(ctx, question+"\n  Only `yes` approves.")
	if err == nil && answer != "yes" {
		err = errors.New("not approved: nothing was changed")
	}
	return err
}

// prompt prints a question and gives the line that answers it; "" at the end of input.
func (c *cli) prompt(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(c.stderr, "\n%s\n\n  Enter a value: ", question)
	answers := make(chan string, 1)
	go func() {
		line, _ := c.stdin.ReadString('\n')
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted: nothing was changed")
	case answer := <-answers:
		fmt.Fprintln(c.stderr)
		return answer, nil
	}
}

// printJSON writes a value for programs, with "->" as it is.
func (c *cli) printJSON(v any) error {
	out := json.NewEncoder(c.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
