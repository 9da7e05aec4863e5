package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Times that ending a process may take. A supervisor gives its worker the first
// and the second, and has to outlast both.
const (
	stopGrace      = grace + 5*time.Second // before SIGKILL
	killGrace      = 5 * time.Second
	supervisorStop = stopGrace + 2*killGrace
)

// Stop ends the worker of a release folder, whatever keeps it running first: its
// systemd unit or its supervisor, so that nothing starts it again. Each gets
// SIGTERM, and SIGKILL when that does not end it within some seconds. What
// starts the current release after a reboot stays in place; Forget removes that.
// It is no error when nothing runs.
func Stop(ctx context.Context, dir string) error {
	dir, err := realFolder(dir)
	if err != nil {
		return err
	}
	units := stopUnits(ctx, dir)
	supervisor := end(ctx, dir, SupervisorFile, "supervisor", supervisorStop)
	worker := end(ctx, dir, LockFile, "worker", stopGrace)
	if worker == nil && supervisor == nil {
		units = errors.Join(units, forgetMark(dir))
	}
	return errors.Join(units, supervisor, worker)
}

// end ends the process that holds a lock file.
func end(ctx context.Context, dir, lock, what string, patience time.Duration) error {
	process, err := running(dir, lock)
	if err != nil || process == nil {
		return err
	}
	defer process.Release()
	for _, step := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, patience}, {syscall.SIGKILL, killGrace}} {
		if err := process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("cannot stop the %s, process %d: %w", what, process.Pid, err)
		}
		gone, err := waitGone(ctx, dir, lock, step.wait)
		if gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("the %s, process %d, runs on after SIGKILL: the device hangs in a read or write", what, process.Pid)
}

// waitGone waits until nobody holds the lock.
func waitGone(ctx context.Context, dir, lock string, limit time.Duration) (bool, error) {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		held, err := locked(dir, lock)
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
