package deployer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/worker"
)

// check asks the whole new pipeline. A device that is lost meanwhile, or a worker that
// ends, ends that: the gateway would wait for it, and cannot tell why it is away.
func (t *transition) check(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, node := range t.nodes {
		s := t.sites[node]
		lost := func(err error) { cancel(s.failed(err)) }
		go s.watch(ctx, func() error { return s.stillRuns(ctx, t.folder, t.To.Release) }, lost)
		go s.watchWorker(ctx, t.folder, t.To.Release, t.processes[node], lost)
	}
	s := t.sites[t.To.Gateway]
	s.emit("probe", "checking %s with an inference", t.Model)
	if err := s.probe(ctx, t.folder, t.Model, t.To); err != nil {
		return s.failed(fmt.Errorf("the new pipeline does not answer: %w", err))
	}
	return nil
}

// stillRuns says when the worker of a release, which was started, has ended.
func (s *site) stillRuns(ctx context.Context, deployment, id string) error {
	status, err := s.status(ctx, deployment, id, "")
	if err == nil && !status.Running {
		err = errors.New("the connection was lost, and the worker of the new release does not run any more: did the device start again?")
	}
	return err
}

// workerLooks is how often a worker is looked at while its pipeline is checked.
const workerLooks = 2 * time.Second

// watchWorker tells when the worker of a release ends, which runs as process pid, until ctx
// does. One that is started again by then has ended, too: it did so before anybody asked it
// for much. Of one that a repair left running no process is known, 0, before the first look.
func (s *site) watchWorker(ctx context.Context, deployment, id string, pid int, ended func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(workerLooks):
		}
		status, err := s.status(ctx, deployment, id, "")
		switch {
		case err != nil: // whoever watches the device tells what it means
		case !status.Running, pid != 0 && status.PID != pid:
			ended(s.endedWorker(ctx, s.release(deployment, id), "while its pipeline was checked"))
			return
		default:
			pid = status.PID
		}
	}
}

// endedWorker is the error about a worker that was ready and has ended since.
func (s *site) endedWorker(ctx context.Context, dir, when string) error {
	file := path.Join(dir, worker.LogFile)
	err := fmt.Errorf("the worker ended %s, as it does when memory runs out (`dmesg` there tells)", when)
	if log, _ := s.run(ctx, "tail", "-n", "5", file); strings.TrimSpace(log) != "" {
		return fmt.Errorf("%w\nthe end of its log (%s):\n%s", err, file, indent(log))
	}
	return err
}
