package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// What a Guard and the run that it waits for say to each other, a line each.
const (
	GuardArmed = "armed" // from the guard: when it is ready, and in answer to whatever it hears
	GuardDone  = "done"  // to the guard: the run has brought everything in order itself
)

// GuardSilence is how long a Guard hears nothing before it takes its run for dead.
const GuardSilence = 30 * time.Second

// guardAttempts is how often a guard tries to start a worker, which may just then
// meet a full disk or a port that is not free yet.
const guardAttempts = 5

// Guard waits, on behalf of a run that stops the worker of a release folder for a
// while, until the run says that it is done. When the run falls silent instead, for
// silence or because in ends, the guard starts the worker again, so that a device
// whose operator is gone serves what it served before.
//
// A release that the run has not promised the gateway yet is stopped first: it may
// hold ports and memory. One that was promised (see PromisedLink) may be what the
// gateway has switched to, and stays beside the other.
func Guard(ctx context.Context, dir string, in io.Reader, out io.Writer, silence time.Duration) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) // the session ends before the guard does
	dir, err := realFolder(dir)
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	for {
		fmt.Fprintln(out, GuardArmed)
		select {
		case line, open := <-lines:
			if line == GuardDone {
				return nil
			}
			if !open {
				return bringBack(ctx, dir, "its connection ended")
			}
		case <-time.After(silence):
			return bringBack(ctx, dir, fmt.Sprintf("it was silent for %v", silence))
		case <-ctx.Done(): // the device shuts down: the current release comes back with it
			return nil
		}
	}
}

// bringBack starts the worker of a release folder, unless the run came to switch to another.
func bringBack(ctx context.Context, dir, why string) error {
	if !isCurrent(dir) {
		return nil
	}
	logFile, _, err := openLog(dir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))
	log.Warn("the run that stopped this worker is gone: it is started again", "reason", why)
	for attempt := range guardAttempts {
		if attempt > 0 {
			time.Sleep(time.Duration(attempt) * time.Second)
		}
		if err = errors.Join(stopUnpromised(ctx, dir), startAgain(ctx, dir)); err == nil {
			return nil
		}
		log.Error("it could not be started again", "error", err)
	}
	return err
}

func startAgain(ctx context.Context, dir string) error {
	key, err := KeyPath(dir)
	if err == nil {
		_, err = Start(ctx, dir, StartOptions{Program: filepath.Join(dir, ProgramFile), Key: key})
	}
	return err
}

// stopUnpromised stops the other releases of a deployment, unless one was promised.
func stopUnpromised(ctx context.Context, dir string) error {
	if _, err := os.Lstat(promisedLink(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return err
	}
	var problems []error
	for _, entry := range entries {
		other := filepath.Join(filepath.Dir(dir), entry.Name())
		if _, err := os.Stat(filepath.Join(other, LockFile)); err == nil && other != dir {
			problems = append(problems, Stop(ctx, other))
		}
	}
	return errors.Join(problems...)
}
