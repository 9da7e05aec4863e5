// Command edgeplan plans, deploys and runs a neural network as a pipeline over
// a cluster of edge devices.
//
// Rules of the interface: data on standard output; errors, warnings, prompts
// and progress on standard error. Exit codes: 0 done; 1 an error, a declined
// prompt, a saved plan that is refused, a held lock or an interrupt; 127 no or an
// unknown command. Commands with more of their own say so in their help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/edgeplan/edgeplan/statefile"
)

// Exit codes. Commands with more of their own say so in their help.
const (
	exitOK      = 0
	exitError   = 1
	exitChanges = 2 // plan -detailed-exitcode: there are changes
	exitUsage   = 127
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its streams given: it dispatches and turns an error into an exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := interruptible()
	defer stop()
	c := newCLI(stdin, stdout, stderr)
	defer c.connections.Close()
	if err := c.startLog(stderr); err != nil {
		return c.exitCode(err)
	}
	args, err := c.globalFlags(args)
	if err != nil {
		return c.exitCode(err)
	}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage())
		return exitUsage
	}
	switch args[0] {
	case completeCommand:
		runComplete(ctx, c, args[1:])
		return exitOK
	case "help":
		if args = args[1:]; len(args) == 0 {
			fmt.Fprint(c.stdout, usage())
			return c.exitCode(nil)
		}
		args = []string{args[0], "-help"}
	}
	cmd, ok := findCommand(args[0])
	if !ok {
		c.printError(fmt.Errorf("edgeplan has no command %q.%s\n`edgeplan -help` lists the commands", args[0], didYouMean(args[0])))
		return exitUsage
	}
	logCommand(ctx, args)
	err = cmd.run(ctx, c, args[1:])
	slog.Info("command ended", "error", err)
	return c.exitCode(err)
}

// interruptible is a context that the first interrupt cancels, so that the step
// in hand is finished and saved. The second ends the process at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		fmt.Fprintln(os.Stderr, "\nInterrupt received: finishing the step in hand. Interrupt again to stop at once.")
		cancel()
		if _, ok := <-signals; ok {
			fmt.Fprintln(os.Stderr, "Stopped at once. The state says what is deployed; the next apply finishes what was begun.")
			os.Exit(exitError)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// exitStatus is an exit code with nothing more to print.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// withOutput is an error together with that of standard output, if there is one;
// where they are one fault it is told once.
func (c *cli) withOutput(err error) error {
	broken := c.stdout.err
	switch {
	case broken == nil:
		return err
	case err == nil, errors.Is(err, errHelp), errors.Is(err, errors.Unwrap(broken)):
		return broken
	}
	return errors.Join(err, broken)
}

// exitCode prints an error, if there is one, and gives its exit code.
func (c *cli) exitCode(err error) int {
	var status exitStatus
	var shown *shownError
	var unwritten *statefile.WriteError
	err = c.withOutput(err)
	broken := c.stdout.err != nil
	switch {
	case broken && errors.Is(c.stdout.err, syscall.EPIPE):
		return exitError // the reader has gone, and wants to hear no more
	case broken:
	case err == nil, errors.Is(err, errHelp):
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &shown):
		return exitError
	}
	c.printError(err)
	if errors.As(err, &unwritten) && unwritten.Emergency == "" {
		fmt.Fprintf(c.stderr, "%s\n", unwritten.Content)
	}
	return exitError
}
