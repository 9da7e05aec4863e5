package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// StartOptions of Start.
type StartOptions struct {
	// Program is the worker; empty is the running executable.
	Program string
	// Key is the file of the device's key; empty is KeyPath of the folder.
	Key string
	// Timeout is how long to wait until the worker is ready; 0 is 2 minutes,
	// which a board needs to read a few hundred megabytes from its card.
	Timeout time.Duration
}

const (
	startTimeout = 2 * time.Minute
	pollEvery    = 20 * time.Millisecond
	stopGrace    = grace + 5*time.Second // before SIGKILL
	killGrace    = 5 * time.Second
	tailBytes    = 4 << 10
)

// Start runs the worker of a release folder as a process of its own, which
// outlives its parent and its session, and waits until it is ready. A worker
// that runs already is waited for in the same way. When it fails or takes too
// long it is stopped, and the status has the end of its log.
func Start(ctx context.Context, dir string, o StartOptions) (Status, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Status{}, err
	}
	if _, err := ReadManifest(dir); err != nil {
		return Status{}, err
	}
	if o.Timeout == 0 {
		o.Timeout = startTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("it was not ready within %v", o.Timeout))
	defer cancel()
	process, err := running(dir)
	if err != nil {
		return Status{}, err
	}
	if process != nil {
		process.Release()
		status, err := waitReady(ctx, dir, nil)
		if !errors.Is(err, errGone) {
			return status, err
		}
	}
	return launch(ctx, dir, o)
}

func launch(ctx context.Context, dir string, o StartOptions) (Status, error) {
	logFile, begin, err := openLog(dir)
	if err != nil {
		return Status{}, err
	}
	defer logFile.Close()
	command, err := detached(dir, o)
	if err != nil {
		return Status{}, err
	}
	command.Stdout, command.Stderr = logFile, logFile
	if err := command.Start(); err != nil {
		return Status{}, fmt.Errorf("cannot start the worker: %w", err)
	}
	exited := make(chan error, 1)
	go func() {
		defer close(exited)
		exited <- command.Wait()
	}()
	status, err := waitReady(ctx, dir, exited)
	if err == nil {
		return status, nil
	}
	command.Process.Kill() // nothing that failed to start stays behind
	select {
	case <-exited:
	case <-time.After(killGrace):
	}
	status, _ = ReadStatus(dir)
	status.Log = tail(logFile.Name(), begin)
	return status, err
}

// detached is the command of a worker in a session of its own: no terminal, no
// hang-up when the session of its parent ends.
func detached(dir string, o StartOptions) (*exec.Cmd, error) {
	program, err := o.Program, error(nil)
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	args := []string{"run", dir}
	if o.Key != "" {
		key, err := filepath.Abs(o.Key)
		if err != nil {
			return nil, err
		}
		args = []string{"run", "-key", key, dir}
	}
	command := exec.Command(program, args...)
	command.Dir = dir
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command, nil
}

// errGone is returned by waitReady when a worker that another process started
// has ended.
var errGone = errors.New("the worker has ended")

// waitReady polls until the worker is ready, has exited, or ctx ends. Without
// exited the worker is not a child of this process.
func waitReady(ctx context.Context, dir string, exited <-chan error) (Status, error) {
	for {
		status, err := ReadStatus(dir)
		switch {
		case err == nil && status.Ready:
			return status, nil
		case err == nil && !status.Running && exited == nil:
			return status, errGone
		}
		select {
		case err := <-exited:
			return exitedEarly(dir, err)
		case <-ctx.Done():
			return Status{}, fmt.Errorf("the worker did not start: %w", context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
}

// exitedEarly is an error, unless another process was faster to become the
// worker of the folder.
func exitedEarly(dir string, exit error) (Status, error) {
	if status, err := ReadStatus(dir); err == nil && status.Running {
		for range 50 {
			if status.Ready {
				return status, nil
			}
			time.Sleep(pollEvery)
			status, _ = ReadStatus(dir)
		}
	}
	if exit == nil {
		return Status{}, errors.New("the worker ended at once")
	}
	return Status{}, fmt.Errorf("the worker ended at once: %w", exit)
}

// openLog opens the log for appending and tells where it ends now.
func openLog(dir string) (*os.File, int64, error) {
	path := filepath.Join(dir, LogFile)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+oldLogSuffix); err != nil {
			return nil, 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, end, nil
}

// tail is the end of a file, from begin at most and in whole lines.
func tail(path string, begin int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	cut := info.Size()-tailBytes > begin
	data, err := io.ReadAll(io.NewSectionReader(f, max(begin, info.Size()-tailBytes), tailBytes))
	if err != nil {
		return ""
	}
	text := string(data)
	if _, rest, found := strings.Cut(text, "\n"); cut && found {
		text = rest
	}
	return strings.TrimSpace(text)
}

// Stop ends the worker of a release folder: SIGTERM, and SIGKILL when it still
// runs 10 seconds later. It is no error when there is none.
func Stop(ctx context.Context, dir string) error {
	process, err := running(dir)
	if err != nil || process == nil {
		return err
	}
	defer process.Release()
	for _, step := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, stopGrace}, {syscall.SIGKILL, killGrace}} {
		if err := process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("cannot stop the worker, process %d: %w", process.Pid, err)
		}
		gone, err := waitGone(ctx, dir, step.wait)
		if gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("the worker, process %d, runs on after SIGKILL: the device hangs in a read or write", process.Pid)
}

// waitGone waits until nobody holds the lock.
func waitGone(ctx context.Context, dir string, limit time.Duration) (bool, error) {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		held, err := locked(dir)
		if !held || err != nil {
			return err == nil, err
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}
