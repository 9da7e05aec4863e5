package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeplan/edgeplan/plan"
)

// rollBack undoes what was done before the commit, and tells what runs now.
func (t *transition) rollBack(ctx context.Context, cause error) error {
	undone := errors.Join(t.stopNew(ctx), t.startOld(ctx))
	outcome := "nothing of it runs"
	switch {
	case t.From != nil && t.stopped && undone == nil:
		outcome = fmt.Sprintf("release %s was started again", t.From.Release)
	case t.From != nil && t.stopped:
		outcome = fmt.Sprintf("release %s could not be started again everywhere", t.From.Release)
	case t.From != nil:
		outcome = fmt.Sprintf("release %s goes on serving", t.From.Release)
	}
	err := fmt.Errorf("model %s: release %s was not deployed, %s: %w", t.Model, t.To.Release, outcome, cause)
	if undone != nil {
		return errors.Join(err, fmt.Errorf("while undoing it: %w", undone))
	}
	return err
}

func (t *transition) stopNew(ctx context.Context) error {
	if !t.started || t.repairs() { // a repaired release is the old one, too
		return nil
	}
	return each(t.nodes, t.o.Devices, func(node string) error {
		return t.sites[node].failed(t.sites[node].stop(ctx, t.folder, t.To.Release))
	})
}

// startOld starts what was stopped before.
func (t *transition) startOld(ctx context.Context) error {
	if !t.stopped {
		return nil
	}
	return each(t.present(plan.ReleaseNodes(t.From)), t.o.Devices, func(node string) error {
		s := t.olds[node]
		s.emit("start", "starting release %s of %s again", t.From.Release, t.Model)
		return s.failed(s.start(ctx, t.folder, t.From.Release))
	})
}
