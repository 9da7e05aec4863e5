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
	"strconv"
	"strings"
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

// A guard sees to it that a worker runs for guardWatch: the last command of a run that
// is gone may still be stopping it. After guardLimit it gives up on one that does not start.
const (
	guardWatch = 30 * time.Second
	guardEvery = 500 * time.Millisecond
	guardLimit = 5 * time.Minute
)

// Guard waits, on behalf of a run that stops the worker of a release folder for a
// while, until the run says that it is done. When the run falls silent instead, for
// silence or because in ends, the guard starts the worker again, so that a device
// whose operator is gone serves what it served before.
//
// A release that the run has not promised the gateway yet is stopped first: it may
// hold ports and memory. One that was promised (see PromisedLink) may be what the
// gateway has switched to, and stays beside the other. A guard ends when another run
// takes the lease of the device.
func Guard(ctx context.Context, dir string, in io.Reader, out io.Writer, silence time.Duration) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) // the session ends before the guard does
	dir, err := realFolder(dir)
	if err != nil {
		return err
	}
	lease := leaseToken(dir)
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
				return bringBack(ctx, dir, lease, "its connection ended")
			}
		case <-time.After(silence):
			return bringBack(ctx, dir, lease, fmt.Sprintf("it was silent for %v", silence))
		case <-ctx.Done(): // the device shuts down: the current release comes back with it
			return nil
		}
	}
}

// bringBack keeps the worker of a release folder running for a while, unless the run
// came to switch to another, or another run has taken the device over.
func bringBack(ctx context.Context, dir, lease, why string) error {
	logFile, _, err := openLog(dir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))
	var ran time.Time // since when it has
	for end := time.Now().Add(guardLimit); time.Now().Before(end) && isCurrent(dir) && !takenOver(dir, lease); {
		running, err := locked(dir, LockFile)
		switch {
		case err == nil && running && ran.IsZero():
			ran = time.Now()
		case err == nil && running && time.Since(ran) > guardWatch:
			return nil
		case err == nil && !running:
			ran = time.Time{}
			log.Warn("the run that stopped this worker is gone: it is started again", "reason", why)
			err = errors.Join(stopUnpromised(ctx, dir), startAgain(ctx, dir))
		}
		if err != nil {
			log.Error("the worker could not be started again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(guardEvery):
		}
	}
	return nil
}

// takenOver says whether somebody else holds the lease of the device by now.
func takenOver(dir, lease string) bool {
	now := leaseToken(dir)
	return now != "" && now != lease
}

// leaseToken is the id of the lease in edgeplan's folder of a release folder: that of
// the file lease.N with the highest N. "" is none.
func leaseToken(dir string) string {
	root := filepath.Dir(filepath.Dir(filepath.Dir(dir)))
	entries, _ := os.ReadDir(root)
	highest, token := 0, ""
	for _, entry := range entries {
		text, ok := strings.CutPrefix(entry.Name(), "lease.")
		number, err := strconv.Atoi(text)
		if !ok || err != nil || number <= highest {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, entry.Name()))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(content), "\n")
		highest, token = number, strings.TrimPrefix(first, "token=")
	}
	return token
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
