package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgeplan/edgeplan/internal/probe/agent"
	"github.com/edgeplan/edgeplan/worker"
)

// started is a worker that this program runs to measure it.
type started struct {
	dir    string
	pid    int
	stderr bytes.Buffer  // complete once it has ended
	ended  chan struct{} // closed then
	err    error         // of its end
}

// start runs this program as the worker of a folder, until ctx ends.
func start(ctx context.Context, dir string) (*started, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &started{dir: dir, ended: make(chan struct{})}
	command := exec.CommandContext(ctx, program, "run", "-key", filepath.Join(dir, worker.KeyFile), dir)
	command.SysProcAttr, command.Stderr, command.WaitDelay = agent.EndsWithParent(), &s.stderr, time.Second
	if err := command.Start(); err != nil {
		return nil, err
	}
	s.pid = command.Process.Pid
	go func() {
		defer close(s.ended)
		s.err = command.Wait()
	}()
	return s, nil
}

// end ends it, and waits for that.
func (s *started) end() {
	select {
	case <-s.ended: // its number may be another's by now
	default:
		_ = syscall.Kill(s.pid, syscall.SIGTERM)
	}
	<-s.ended
}

// awaitReady waits until it is ready; one that ends instead, or does not until ctx ends, says why.
func (s *started) awaitReady(ctx context.Context) error {
	for {
		if status, err := worker.ReadStatus(s.dir); err == nil && status.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("its worker ended before it was ready (%v): %s", s.err, agent.LastLine(s.stderr.String()))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
