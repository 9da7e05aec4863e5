package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

const demoHelp = `[options]

Runs the whole way on this machine: writes a configuration and a seeded
ResNet-style model into a temporary folder, starts three embedded devices (an
SSH and SFTP server each, on loopback, with a home folder of its own and real
worker processes), and runs init, plan, apply, infer -verify, apply again and
destroy. Needs Linux, and npm or a filled cache for ONNX Runtime.

Examples:
  edgeplan demo
  edgeplan demo -keep         # leave it running, to try commands on
`

func runDemo(ctx context.Context, c *cli, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	keep := flags.Bool("keep", false, "leave the pipeline running, with the folder to try commands in, until interrupted")
	if err := c.parseNone(flags, demoHelp, args); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the demo's devices are Linux workers on this machine, and this is %s: run it on Linux, or declare real devices as examples/three-pis does", runtime.GOOS)
	}
	dir, err := os.MkdirTemp("", "edgeplan-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return (&demo{cli: c, dir: dir, keep: *keep}).run(ctx)
}

// demo is one run of the demo in a folder of its own.
type demo struct {
	cli  *cli
	dir  string
	keep bool
}

func (d *demo) run(ctx context.Context) error {
	bed, err := startDemoBed(d.dir)
	if err != nil {
		return err
	}
	defer bed.close()
	d.cli.notef("Three embedded devices listen on %s.", strings.Join(bed.addresses(), ", "))
	if err := d.prepare(ctx, bed); err != nil {
		return err
	}
	if err := d.deploy(ctx); err != nil {
		return errors.Join(err, d.command(context.WithoutCancel(ctx), "destroy", "-auto-approve"))
	}
	if d.keep {
		d.wait(ctx)
	}
	if err := d.command(context.WithoutCancel(ctx), "destroy", "-auto-approve"); err != nil {
		return err
	}
	return d.checkClean(bed)
}

// prepare writes the model, collects the engine, and writes a configuration
// that declares what this machine can do.
func (d *demo) prepare(ctx context.Context, bed *demoBed) error {
	if err := writeDemoModel(d.dir); err != nil {
		return err
	}
	if err := writeDemoConfig(d.dir, bed, defaultDemoCompute); err != nil {
		return err
	}
	if err := d.command(ctx, "init"); err != nil {
		return err
	}
	rate, err := measureCompute(ctx, d.dir, len(bed.devices))
	if err != nil {
		return err
	}
	d.cli.notef("With %d of them at once, each computes the model at %s here; that is what the devices are declared with.",
		len(bed.devices), quantity.FormatFLOPS(rate))
	return writeDemoConfig(d.dir, bed, rate)
}

// deploy runs the commands a user would, and measures.
func (d *demo) deploy(ctx context.Context) error {
	for _, command := range [][]string{
		{"plan"},
		{"apply", "-auto-approve"},
		{"infer", "-random", "1", "-verify", "-out", d.dir + "/answer.npy"},
	} {
		if err := d.command(ctx, command...); err != nil {
			return err
		}
	}
	if err := d.measureThroughput(ctx); err != nil {
		return err
	}
	return d.command(ctx, "apply", "-auto-approve")
}

// command runs edgeplan itself in the demo's folder, and shows it.
func (d *demo) command(ctx context.Context, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	shown := strings.ReplaceAll(strings.Join(args, " "), d.dir+"/", "")
	fmt.Fprintf(d.cli.stdout, "\n%s\n", d.cli.paint(d.cli.stdout, bold, "$ edgeplan "+shown))
	cmd := exec.CommandContext(ctx, program, append([]string{"-chdir=" + d.dir}, args...)...)
	cmd.Stdout, cmd.Stderr = d.cli.stdout, d.cli.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's interrupt comes once, from here
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("edgeplan %s: %w", shown, err)
	}
	return nil
}

// wait leaves everything running until the user interrupts.
func (d *demo) wait(ctx context.Context) {
	program, err := os.Executable()
	if err != nil {
		program = "edgeplan"
	}
	fmt.Fprintf(d.cli.stdout, "\nThe pipeline is running. Try, in another terminal:\n\n  cd %[1]s\n  %[2]s show\n  %[2]s infer -random 2 -verify\n\nInterrupt (Ctrl-C) to destroy it and end.\n", d.dir, program)
	<-ctx.Done()
}

// checkClean makes sure that destroy left nothing on the devices.
func (d *demo) checkClean(bed *demoBed) error {
	for _, device := range bed.devices {
		entries, err := os.ReadDir(device.home)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return fmt.Errorf("%s still holds %s after destroy", device.name, entries[0].Name())
		}
	}
	fmt.Fprintln(d.cli.stdout, "\nThe devices are as empty as they were.")
	return nil
}
