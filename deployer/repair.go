package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// repair restarts the workers that do not run as they should and leaves the
// others alone. Only where the pipeline does not answer even so are all restarted.
func (t *transition) repair(ctx context.Context) error {
	broken, err := t.broken(ctx)
	if err == nil {
		err = t.restart(ctx, broken)
	}
	if err != nil {
		return err
	}
	err = t.check(ctx)
	if err == nil || len(broken) == len(t.nodes) || ctx.Err() != nil {
		return err
	}
	t.sites[t.To.Gateway].emit("start", "%s does not answer: restarting all of its workers", t.Model)
	if err := t.restart(ctx, t.nodes); err != nil {
		return err
	}
	return t.check(ctx)
}

// broken are the nodes whose worker does not run, or not with the files and the
// key that the device has now. Other releases that still run are stopped: they
// may hold the ports.
func (t *transition) broken(ctx context.Context) ([]string, error) {
	found := map[string]bool{}
	var mu sync.Mutex
	err := eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		if err := s.stopOthers(ctx, t.folder, t.To.Release); err != nil {
			return s.failed(err)
		}
		status, err := s.status(ctx, t.folder, t.To.Release, "")
		if s.gone(err) || ctx.Err() != nil {
			return s.failed(errors.Join(err, context.Cause(ctx)))
		}
		changed := !t.isReady(node) || t.keys[node] != t.plan.Prior.Nodes[node].PublicKey || slices.Contains(t.Replace, node)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || !status.Ready || status.OldKey || changed {
			found[node] = true
		}
		return nil
	})
	return sortedKeys(found), err
}

func (t *transition) restart(ctx context.Context, nodes []string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return each(nodes, t.o.Devices, func(node string) error {
		s := t.sites[node]
		t.setDown(node, true)
		err := s.stop(ctx, t.folder, t.To.Release)
		if err == nil {
			err = t.startNew(ctx, node)
		}
		t.setDown(node, err != nil)
		return s.failed(err)
	})
}

// setDown is called for several nodes at once.
func (t *transition) setDown(node string, down bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.down[node] = down; !down {
		delete(t.down, node)
	}
}

// endRepair tells what a repair that failed has left. Workers that it stopped
// are started once more: it may have been interrupted.
func (t *transition) endRepair(ctx context.Context, cause error) error {
	undo := context.WithoutCancel(ctx)
	_ = each(sortedKeys(t.down), t.o.Devices, func(node string) error {
		_, err := t.sites[node].start(undo, t.folder, t.To.Release)
		t.setDown(node, err != nil)
		return nil
	})
	outcome := ""
	if len(t.down) > 0 {
		outcome = "; its worker does not run on " + strings.Join(sortedKeys(t.down), ", ")
	}
	rest := remaining(ctx, cause)
	if ctx.Err() != nil {
		return errors.Join(interruptedBy(ctx, untouched(t.Deployment)+outcome), rest)
	}
	return fmt.Errorf("model %s: release %s could not be repaired%s: %w", t.Model, t.To.Release, outcome, rest)
}
