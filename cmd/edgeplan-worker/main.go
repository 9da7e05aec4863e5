// Command edgeplan-worker runs one part of a pipeline on a device. edgeplan
// copies it there and calls it; people may too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/gift"
	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/worker"
)

const usage = `Usage: edgeplan-worker COMMAND

  run [-key FILE] DIR                      serve the release in DIR until SIGTERM
  start [-key FILE] [-timeout TIME] DIR    run in the background, supervised; wait until ready; print the status
  stop [-forget] DIR                       end the worker of DIR; -forget: do not start it after a reboot
  supervise [-key FILE] DIR                run the worker of DIR again whenever it ends, until SIGTERM
  guard DIR                                start the worker of DIR again unless standard input says "done"
  status DIR                               print the status of the worker of DIR
  metrics DIR                              print the metrics of the worker of DIR, in Prometheus' text format
  logs [-lines N] [-follow] DIR            print the end of the log of the worker of DIR
  probe DIR                                measure the device for the operator, who keeps files in DIR
  take DIR                                 take files from another device among the blobs in DIR, for the operator
  give DIR                                 give files out of the blobs in DIR to another device, for the operator
  proxy DIR                                connect standard input and output to the worker of DIR
  receive FILE OFFSET                      write standard input to a file, and print its sha256 digest
  sum FILE...                              print the sha256 digests of files, as sha256sum does
  key FILE                                 print the public key of FILE; make the key when there is none
  version                                  print the version

The status is one line of JSON. The key is DIR/../../../key.pem by default.
EDGEPLAN_SUPERVISION chooses how start keeps a worker running: auto (the default, the first
that the device has), systemd, systemd-user, cron, or none (not started after a reboot).
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not to run now (run -supervised).
`

// Exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitUnwanted // systemd's units know it
)

// givingPriority leaves a processor to the pipeline that runs on it.
const givingPriority = 10

// errUsage is wrapped by errors of the command line.
var errUsage = errors.New("wrong usage")

// errUnwanted ends a release that systemd starts after a reboot and that is not current.
var errUnwanted = errors.New("this release is not the current one and was not started since the system has: it does not run")

func main() {
	syscall.Umask(0o077) // keys, logs and sockets are for this user alone
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case err == nil:
		os.Exit(exitOK)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "edgeplan-worker: %v\n\n%s", err, usage)
		os.Exit(exitUsage)
	case errors.Is(err, errUnwanted):
		fmt.Fprintf(os.Stderr, "edgeplan-worker: %v\n", err)
		os.Exit(exitUnwanted)
	default:
		fmt.Fprintf(os.Stderr, "edgeplan-worker: %v\n", err)
		os.Exit(exitFailed)
	}
}

// arguments of a command.
type arguments struct {
	dir     string // the release folder, or the file of key
	key     string
	timeout time.Duration
	lines   int
	follow  bool

	supervised, failFast, forget bool
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: no command", errUsage)
	}
	switch args[0] {
	case "version":
		_, err := fmt.Fprintln(stdout, version.Version)
		return err
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(stdout, usage)
		return err
	}
	switch args[0] { // these take no flags, and end at once with a signal
	case "sum":
		defer context.AfterFunc(ctx, func() { os.Exit(exitFailed) })()
		return worker.Sum(stdout, args[1:])
	case "receive":
		if len(args) != 3 {
			return fmt.Errorf("%w: receive takes a file and an offset", errUsage)
		}
		defer context.AfterFunc(ctx, func() { os.Exit(exitFailed) })()
		return worker.Receive(args[1], args[2], stdin, stdout)
	}
	a, err := parse(args[0], args[1:])
	if err != nil {
		return err
	}
	if args[0] == "key" {
		return printKey(stdout, a.dir)
	}
	// Sockets have short addresses, so the worker works where its socket is.
	if err := os.Chdir(a.dir); err != nil {
		return err
	}
	return inFolder(ctx, args[0], a, stdin, stdout)
}

func inFolder(ctx context.Context, command string, a arguments, stdin io.Reader, stdout io.Writer) error {
	switch command {
	case "probe":
		return serveProbe(ctx, stdin, stdout)
	case "take":
		return gift.Take(ctx, ".", stdin, stdout)
	case "give":
		_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, givingPriority) // the device has work of its own
		return gift.Give(ctx, ".", stdin, stdout)
	case agent.RunCommand:
		return agent.Run(".", stdin, stdout)
	case "run":
		if a.supervised && !worker.Wanted(".") {
			return errUnwanted
		}
		return worker.Run(ctx, ".", worker.Options{Key: a.key, Log: stdout})
	case "start":
		status, err := worker.Start(ctx, ".", worker.StartOptions{Key: a.key, Timeout: a.timeout})
		return errors.Join(err, printJSON(stdout, status))
	case "supervise":
		o := worker.SuperviseOptions{Key: a.key}
		if a.failFast { // start waits for the line
			o.Ready = func() error {
				_, err := fmt.Fprintln(stdout, "ready")
				return err
			}
		}
		return worker.Supervise(ctx, ".", o)
	case "stop":
		if a.forget {
			return worker.Forget(ctx, ".")
		}
		return worker.Stop(ctx, ".")
	case "guard":
		return worker.Guard(ctx, ".", stdin, stdout, worker.GuardSilence)
	case "status":
		status, err := worker.ReadStatus(".")
		if err != nil {
			return err
		}
		return printJSON(stdout, status)
	case "metrics":
		text, err := worker.ReadMetrics(".")
		if err != nil {
			return err
		}
		_, err = stdout.Write(text)
		return err
	case "logs":
		return worker.Logs(ctx, ".", a.lines, a.follow, stdout)
	default: // proxy; parse knows no other
		return worker.Proxy(".", stdin, stdout)
	}
}

// parse reads the flags and the one argument of a command.
func parse(command string, args []string) (arguments, error) {
	var a arguments
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch command {
	case "start":
		flags.DurationVar(&a.timeout, "timeout", 0, "")
		fallthrough
	case "run", "supervise":
		flags.BoolVar(&a.supervised, "supervised", false, "")
		flags.BoolVar(&a.failFast, "fail-fast", false, "")
		flags.StringVar(&a.key, "key", "", "")
	case "logs":
		flags.IntVar(&a.lines, "lines", 100, "")
		flags.BoolVar(&a.follow, "follow", false, "")
	case "stop":
		flags.BoolVar(&a.forget, "forget", false, "")
	case "status", "metrics", "proxy", "key", "guard", "probe", "take", "give", agent.RunCommand:
	default:
		return a, fmt.Errorf("%w: no command %q", errUsage, command)
	}
	positional, err := interleaved(flags, args)
	if err != nil {
		return a, fmt.Errorf("%w: %s: %v", errUsage, command, err)
	}
	if len(positional) != 1 {
		return a, fmt.Errorf("%w: %s takes one argument, not %d", errUsage, command, len(positional))
	}
	a.dir = positional[0]
	if a.key != "" {
		a.key, err = filepath.Abs(a.key)
	}
	return a, err
}

// interleaved parses flags before and behind the positional arguments.
func interleaved(flags *flag.FlagSet, args []string) (positional []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return positional, nil
		}
		positional, args = append(positional, flags.Arg(0)), flags.Args()[1:]
	}
}

func printKey(stdout io.Writer, file string) error {
	key, err := worker.EnsureKey(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, worker.PublicKey(key))
	return err
}

func printJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
