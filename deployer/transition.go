package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// transition brings one model from a release to the next.
type transition struct {
	*applying
	plan.Deployment
	folder    string // the deployment's, on every device
	nodes     []string
	keys      map[string]string // public keys of the workers, by node
	bundles   map[string]bundle
	ready     map[string]bool   // releases that are in place already
	stopped   bool              // the old release, perhaps
	started   bool              // the new release, perhaps
	guards    map[string]*guard // by node, of an old release that stops first
	promised  bool              // the new release, to devices, perhaps
	down      map[string]bool   // nodes whose worker a repair has stopped and not started
	processes map[string]int    // of the workers that were started, by node
}

// deploy brings a model to its new release. Up to the switch of the gateway
// every failure is undone; from there on nothing is.
func (a *applying) deploy(ctx context.Context, d plan.Deployment) error {
	t := &transition{applying: a, Deployment: d, folder: DeploymentName(d.Model, a.plan.Prior.Lineage),
		nodes: plan.ReleaseNodes(d.To), bundles: map[string]bundle{}, ready: map[string]bool{}, down: map[string]bool{}, guards: map[string]*guard{}, processes: map[string]int{}}
	err := t.prepareAll(ctx)
	if err == nil {
		err = t.bringUp(ctx)
	}
	if err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		a.failed[d.Model] = true
		return t.rollBack(ctx, err)
	}
	if err := t.follow(context.WithoutCancel(ctx)); err != nil {
		a.failed[d.Model] = true
		return fmt.Errorf("model %s: release %s is deployed, but not everything could be finished: %w", d.Model, d.To.Release, err)
	}
	return nil
}

// repairs says whether the release is deployed already.
func (t *transition) repairs() bool { return t.From != nil && t.From.Release == t.To.Release }

// prepareAll brings the release onto all devices, whole and checked.
func (t *transition) prepareAll(ctx context.Context) error {
	if err := t.exchangeKeys(ctx); err != nil {
		return err
	}
	for _, node := range t.nodes {
		b, err := newBundle(t.Deployment, node, t.plan.Prior.Lineage, t.keys)
		if err != nil {
			return t.devices[node].failed(err)
		}
		t.bundles[node] = b
	}
	var mu sync.Mutex
	return eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		s.emit("release", "preparing release %s of %s", t.To.Release, t.Model)
		ready, err := s.prepare(ctx, t.bundles[node], t.plan.Blobs, slices.Contains(t.Replace, node))
		mu.Lock()
		defer mu.Unlock()
		t.ready[node] = ready
		return s.failed(err)
	})
}

// exchangeKeys asks for the public keys of all workers. They are recorded with
// the release whose workers use them.
func (t *transition) exchangeKeys(ctx context.Context) error {
	t.keys = map[string]string{}
	var mu sync.Mutex
	return eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		program, _ := plan.WorkerProgram(t.To, node) // checkPlan saw that there is one
		key, err := s.publicKey(ctx, program, t.plan.Blobs)
		mu.Lock()
		defer mu.Unlock()
		t.keys[node] = key
		return s.failed(err)
	})
}

// bringUp starts the new release on all devices and checks it as a whole.
func (t *transition) bringUp(ctx context.Context) error {
	if t.repairs() {
		return t.repair(ctx)
	}
	if t.From != nil && t.Switch == plan.StopFirst {
		if err := t.setGuards(ctx); err != nil {
			return err
		}
		t.stopped = true
		if err := t.stopOld(ctx); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t.started = true
	err := each(t.nodes, t.o.Devices, func(node string) error {
		return t.sites[node].failed(t.startNew(ctx, node))
	})
	if err != nil {
		return err
	}
	return t.check(ctx)
}

func (t *transition) startNew(ctx context.Context, node string) error {
	s := t.sites[node]
	if !t.isReady(node) {
		if err := s.install(ctx, t.bundles[node]); err != nil {
			return err
		}
		t.markReady(node)
	}
	s.emit("start", "starting release %s of %s", t.To.Release, t.Model)
	pid, err := s.start(ctx, t.folder, t.To.Release)
	t.setProcess(node, pid)
	return err
}

// setProcess is called for several nodes at once.
func (t *transition) setProcess(node string, pid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.processes[node] = pid
}

func (t *transition) isReady(node string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ready[node]
}

// markReady is called for several nodes at once.
func (t *transition) markReady(node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready[node] = true
}

// stopOld stops the old release on all devices that have a part of it.
func (t *transition) stopOld(ctx context.Context) error {
	return each(t.present(plan.ReleaseNodes(t.From)), t.o.Devices, func(node string) error {
		s := t.sites[node]
		s.emit("stop", "stopping release %s of %s", t.From.Release, t.Model)
		return s.failed(s.stopOthers(ctx, t.folder, ""))
	})
}

// commit switches the gateway, from where on requests meet the new release.
func (t *transition) commit(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !t.repairs() {
		if err := t.promise(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(t.stillHeld(ctx), t.stillGuarded(ctx)); err != nil {
		return err
	}
	return t.switchGateway(context.WithoutCancel(ctx))
}

// stillHeld makes sure that nobody else has taken one of the devices by now.
func (t *transition) stillHeld(ctx context.Context) error {
	return each(t.nodes, t.o.Devices, func(node string) error {
		return t.sites[node].failed(t.sites[node].renewLease(ctx))
	})
}

// follow does what is left after the commit: record it, switch the others and
// stop the old release. Each is tried, whatever fails.
func (t *transition) follow(ctx context.Context) error {
	recorded := t.record(func(s *statefile.State) {
		s.Models[t.Model] = *t.To
		setEarlier(s, t.Model, t.plan.Desired.Earlier[t.Model])
		for _, node := range t.nodes {
			s.Nodes[node] = withKey(t.plan.Desired.Nodes[node], t.keys[node])
		}
	})
	switched := each(t.nodes, t.o.Devices, func(node string) error {
		if node == t.To.Gateway {
			return nil
		}
		return t.sites[node].failed(t.sites[node].switchTo(ctx, t.folder, t.To.Release))
	})
	t.dismissGuards(sortedKeys(t.guards))
	return errors.Join(recorded, switched, t.stopReplaced(ctx))
}

// setEarlier records the earlier releases of a model.
func setEarlier(s *statefile.State, model string, releases []statefile.Model) {
	if s.Earlier == nil {
		s.Earlier = map[string][]statefile.Model{}
	}
	if s.Earlier[model] = releases; len(releases) == 0 {
		delete(s.Earlier, model)
	}
}

// stopReplaced stops every release but the new one.
func (t *transition) stopReplaced(ctx context.Context) error {
	keep := map[string]string{} // by node; "" keeps none
	if t.From != nil {
		for _, node := range t.present(plan.ReleaseNodes(t.From)) {
			keep[node] = ""
		}
	}
	for _, node := range t.nodes {
		keep[node] = t.To.Release
	}
	return each(sortedKeys(keep), t.o.Devices, func(node string) error {
		s := t.sites[node]
		return s.failed(s.stopOthers(ctx, t.folder, keep[node]))
	})
}
