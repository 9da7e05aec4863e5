package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeplan/edgeplan/plan"
)

// InterruptedError says what became of a step that was ended from outside. It
// wraps the reason: context.Canceled, or what stands for it.
type InterruptedError struct {
	Outcome string
	Errs    []error // of the context
}

func (e *InterruptedError) Error() string { return "interrupted: " + e.Outcome }

// Unwrap gives the reasons.
func (e *InterruptedError) Unwrap() []error { return e.Errs }

func interruptedBy(ctx context.Context, outcome string) error {
	return &InterruptedError{outcome, []error{ctx.Err(), context.Cause(ctx)}}
}

func wasInterrupted(err error) bool {
	var interrupted *InterruptedError
	return errors.As(err, &interrupted)
}

// remaining leaves out of joined errors what only failed because ctx ended. All
// that devices do then fails by it, which is one event and not one of each device.
func remaining(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, part := range joined.Unwrap() {
			rest = append(rest, remaining(ctx, part))
		}
		return errors.Join(rest...)
	}
	return nil
}

// interrupted tells that none of the models was touched yet.
func (a *applying) interrupted(ctx context.Context) error {
	var list []error
	for _, d := range a.plan.Deployments {
		list = append(list, interruptedBy(ctx, untouched(d)))
	}
	return errors.Join(list...)
}

// untouched is what there is to say of a deployment that was not begun.
func untouched(d plan.Deployment) string {
	switch {
	case d.To == nil:
		return fmt.Sprintf("model %s was not removed", d.Model)
	case d.From == nil:
		return notDeployed(d, "nothing of it runs")
	case d.From.Release == d.To.Release:
		return fmt.Sprintf("release %s of model %s was not repaired", d.To.Release, d.Model)
	}
	return notDeployed(d, fmt.Sprintf("release %s goes on serving", d.From.Release))
}

func notDeployed(d plan.Deployment, outcome string) string {
	return fmt.Sprintf("release %s of model %s was not deployed; %s", d.To.Release, d.Model, outcome)
}
