package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// uploadAll brings every blob that a device lacks, from here or from another device. Nothing
// runs differently by it.
func (a *applying) uploadAll(ctx context.Context) error {
	n := newExchange(a.plan, a.receiving(), a.present(a.leaving()))
	tasks, atOnce := append(a.receiving(), sortedKeys(n.passings)...), make(chan struct{}, a.o.Devices)
	err := eachOrNone(ctx, tasks, len(tasks), func(ctx context.Context, task string) error {
		if g := n.passings[task]; g != nil {
			return a.devices[g.to].failed(a.pass(ctx, n, g))
		}
		if err := take(ctx, atOnce); err != nil {
			return err
		}
		defer func() { <-atOnce }()
		return a.devices[task].failed(a.uploadTo(ctx, task, n))
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	for _, d := range a.plan.Deployments {
		a.failed[d.Model] = true
	}
	return errors.Join(a.interrupted(ctx), remaining(ctx, err))
}

func (a *applying) uploadTo(ctx context.Context, node string, n *exchange) error {
	s := a.sites[node]
	for _, d := range a.plan.Deployments {
		if d.To == nil || !slices.Contains(plan.ReleaseNodes(d.To), node) {
			continue
		}
		if err := s.claim(ctx, DeploymentName(d.Model, s.lineage), d.To.Release, plan.NodeBlobs(d.To, node)); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
	}
	missing, err := a.lacking(ctx, s)
	if err != nil {
		return err
	}
	if err := s.employHeld(ctx, a.wanted(node), missing); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := s.upload(ctx, a.plan.Blobs, n.fromHere(node, missing)); err != nil {
		return err
	}
	close(n.uploaded[node])
	return nil
}

// lacking are the blobs to bring to a device: those it lacks, and all that belong
// to a release it gets anew on demand, since what is there is not trusted.
func (a *applying) lacking(ctx context.Context, s *site) ([]statefile.Blob, error) {
	wanted := a.wanted(s.name)
	for _, d := range a.plan.Deployments {
		if slices.Contains(d.Replace, s.name) {
			return wanted, nil
		}
	}
	return s.missing(ctx, wanted)
}

// deployAll stops the models that go and what is left of earlier ones, and then brings the others to their new
// releases, one after the other. They do not depend on each other.
func (a *applying) deployAll(ctx context.Context) error {
	problems := []error{a.stopLeftovers(ctx), a.stopRemoved(ctx)}
	for _, d := range a.plan.Deployments {
		if d.To == nil {
			continue
		}
		if ctx.Err() != nil {
			a.failed[d.Model] = true
			problems = append(problems, interruptedBy(ctx, untouched(d)))
			continue
		}
		problems = append(problems, a.deploy(ctx, d))
	}
	return errors.Join(problems...)
}

// stopRemoved stops the workers of models that are removed, which gives their
// memory to those that come.
func (a *applying) stopRemoved(ctx context.Context) error {
	var problems []error
	for _, d := range a.plan.Deployments {
		if d.To != nil || d.From == nil || ctx.Err() != nil {
			continue
		}
		deployment := DeploymentName(d.Model, a.plan.Prior.Lineage)
		err := each(a.present(plan.ReleaseNodes(d.From)), a.o.Devices, func(node string) error {
			s := a.sites[node]
			s.emit("stop", "stopping %s", d.Model)
			return s.failed(s.stopOthers(context.WithoutCancel(ctx), deployment, ""))
		})
		a.failed[d.Model] = err != nil
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
