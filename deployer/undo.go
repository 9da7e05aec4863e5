package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeplan/edgeplan/plan"
)

// rollBack undoes what was done before the commit, and tells what runs now.
func (t *transition) rollBack(ctx context.Context, cause error) error {
	if t.repairs() {
		return t.endRepair(ctx, cause)
	}
	undo := context.WithoutCancel(ctx)
	if errors.Is(cause, errInDoubt) {
		return fmt.Errorf("model %s: release %s: %w", t.Model, t.To.Release, errors.Join(cause, t.startOld(undo)))
	}
	undone := errors.Join(t.takeBack(undo), t.stopNew(undo), t.startOld(undo))
	outcome := "nothing of it runs"
	switch {
	case t.From != nil && t.stopped && undone == nil:
		outcome = fmt.Sprintf("release %s was started again", t.From.Release)
	case t.From != nil && t.stopped:
		outcome = fmt.Sprintf("release %s could not be started again everywhere", t.From.Release)
	case t.From != nil:
		outcome = fmt.Sprintf("release %s goes on serving", t.From.Release)
	}
	err := remaining(ctx, cause)
	if ctx.Err() != nil {
		err = errors.Join(interruptedBy(ctx, notDeployed(t.Deployment, outcome)), err)
	} else {
		err = fmt.Errorf("model %s: release %s was not deployed, %s: %w", t.Model, t.To.Release, outcome, err)
	}
	if undone != nil {
		return errors.Join(err, fmt.Errorf("while undoing it: %w", undone))
	}
	return err
}

func (t *transition) stopNew(ctx context.Context) error {
	if !t.started {
		return nil
	}
	return each(t.nodes, t.o.Devices, func(node string) error {
		return t.sites[node].failed(t.sites[node].stop(ctx, t.folder, t.To.Release))
	})
}

// startOld starts what was stopped before. Where that works no guard has to.
func (t *transition) startOld(ctx context.Context) error {
	if !t.stopped {
		t.dismissGuards(sortedKeys(t.guards))
		return nil
	}
	return each(t.present(plan.ReleaseNodes(t.From)), t.o.Devices, func(node string) error {
		s := t.sites[node]
		s.emit("start", "starting release %s of %s again", t.From.Release, t.Model)
		_, err := s.start(ctx, t.folder, t.From.Release)
		if err == nil {
			t.dismissGuards([]string{node})
		}
		return s.failed(err)
	})
}
