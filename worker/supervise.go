package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// SuperviseOptions of Supervise.
type SuperviseOptions struct {
	// Program is the worker; empty is the running executable.
	Program string
	// Key is the file of the device's key; empty is KeyPath of the folder.
	Key string
	// Ready is called when the first worker is ready; one that does not become
	// ready then ends the supervisor. With nil, as after a reboot, it tries for ever.
	Ready func() error
}

// A worker that ends is started again after firstPause, and after twice the
// pause each time it ends again, up to longestPause. One that ran for ranWell
// starts from the first pause again.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = time.Minute
	ranWell      = time.Minute
)

// adoptEvery is how often a supervisor looks at a worker that it has not started.
const adoptEvery = 500 * time.Millisecond

// Supervise keeps the worker of a release folder running until ctx ends: when it
// ends for any reason it is started again, with exponential backoff. A worker
// that runs there already, because its supervisor was killed, is waited for. It
// writes to the worker's log, and returns an error that wraps ErrRunning when a
// supervisor runs there already.
func Supervise(ctx context.Context, dir string, o SuperviseOptions) error {
	dir, err := realFolder(dir)
	if err != nil {
		return err
	}
	lock, _, err := takeLock(ctx, dir, SupervisorFile)
	if err != nil {
		return err
	}
	defer lock.Close()
	logFile, _, err := openLog(dir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	s := &supervisor{dir: dir, o: o, output: logFile, log: slog.New(slog.NewTextHandler(boundLog(logFile, dir), nil))}
	return s.run(ctx)
}

type supervisor struct {
	dir    string
	o      SuperviseOptions
	output *os.File
	log    *slog.Logger
}

func (s *supervisor) run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = firstPause, longestPause, 2
	first := s.o.Ready != nil
	for {
		if err := s.adopt(ctx); err != nil {
			return nil // stopped
		}
		began := time.Now()
		err := s.once(ctx, first)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errNotStarted):
			return err
		case s.removed():
			return nil // nobody will ever stop it
		}
		first = false
		if time.Since(began) >= ranWell {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		s.log.Warn("the worker ended and is started again", "reason", cmp.Or(errorText(err), "it was stopped from outside"),
			"ran_seconds", int(time.Since(began).Seconds()), "pause", wait.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// removed says whether the release folder is gone.
func (s *supervisor) removed() bool {
	_, err := os.Stat(s.dir)
	return errors.Is(err, fs.ErrNotExist)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error() + killedHint(err)
}

// adopt waits until no worker runs that this supervisor has not started.
func (s *supervisor) adopt(ctx context.Context) error {
	for {
		if held, err := locked(s.dir, LockFile); !held || err != nil {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(adoptEvery):
		}
	}
}

// errNotStarted is wrapped by once when the first worker did not become ready.
var errNotStarted = errors.New("the worker did not become ready")

// once runs one worker until it ends or ctx does. It gets SIGTERM then, and
// SIGKILL when that does not end it.
func (s *supervisor) once(ctx context.Context, first bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command, err := workerCommand(ctx, s.dir, s.o.Program, s.o.Key)
	if err != nil {
		return err
	}
	command.Stdout, command.Stderr = s.output, s.output
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopGrace
	if err := command.Start(); err != nil {
		return fmt.Errorf("cannot start the worker: %w", err)
	}
	exited := make(chan error, 1)
	go func() {
		defer close(exited)
		exited <- command.Wait()
	}()
	if first {
		_, err := waitReady(ctx, s.dir, exited)
		if err == nil {
			err = s.o.Ready()
		}
		if err != nil {
			cancel()
			for range exited {
			}
			return fmt.Errorf("%w: %w", errNotStarted, err)
		}
	}
	return <-exited
}

// workerCommand runs the worker of a release folder as a child of this process.
func workerCommand(ctx context.Context, dir, program, key string) (*exec.Cmd, error) {
	args, err := programArgs("run", dir, program, key)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Dir = dir
	return command, nil
}

// programArgs is the command line of a worker program for a release folder.
func programArgs(verb, dir, program, key string, flags ...string) ([]string, error) {
	var err error
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	args := append([]string{program, verb}, flags...)
	if key != "" {
		if key, err = filepath.Abs(key); err != nil {
			return nil, err
		}
		args = append(args, "-key", key)
	}
	return append(args, dir), nil
}
