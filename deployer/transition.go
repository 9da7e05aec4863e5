package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// transition brings one model from a release to the next.
type transition struct {
	*applying
	plan.Deployment
	folder  string // the deployment's, on every device
	nodes   []string
	bundles map[string]bundle
	ready   map[string]bool // releases that are in place already
	stopped bool            // the old release, perhaps
	started bool            // the new release, perhaps
}

// deploy brings a model to its new release. Up to the switch of the gateway
// every failure is undone; from there on nothing is.
func (a *applying) deploy(ctx context.Context, d plan.Deployment) error {
	t := &transition{applying: a, Deployment: d, folder: DeploymentName(d.Model, a.plan.Prior.Lineage),
		nodes: plan.ReleaseNodes(d.To), bundles: map[string]bundle{}, ready: map[string]bool{}}
	err := t.prepareAll(ctx)
	if err == nil {
		err = t.bringUp(ctx)
	}
	if err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		a.failed[d.Model] = true
		return t.rollBack(context.WithoutCancel(ctx), err)
	}
	if err := t.follow(context.WithoutCancel(ctx)); err != nil {
		a.failed[d.Model] = true
		return fmt.Errorf("model %s: release %s is deployed, but not everything could be finished: %w", d.Model, d.To.Release, err)
	}
	return nil
}

// repairs says whether the release is deployed already, at the same place.
func (t *transition) repairs() bool {
	if t.From == nil || t.From.Release != t.To.Release {
		return false
	}
	for _, node := range t.nodes {
		if t.sites[node] != t.olds[node] {
			return false
		}
	}
	return true
}

// stopsFirst says whether old and new cannot run at once.
func (t *transition) stopsFirst() bool {
	return t.From != nil && (t.Switch == plan.StopFirst || t.From.Release == t.To.Release)
}

// prepareAll brings the release onto all devices, whole and checked.
func (t *transition) prepareAll(ctx context.Context) error {
	keys, err := t.exchangeKeys(ctx)
	if err != nil {
		return err
	}
	for _, node := range t.nodes {
		b, err := newBundle(t.Deployment, node, t.plan.Prior.Lineage, keys)
		if err != nil {
			return t.devices[node].failed(err)
		}
		t.bundles[node] = b
	}
	var mu sync.Mutex
	return eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		s.emit("release", "preparing release %s of %s", t.To.Release, t.Model)
		ready, err := s.prepare(ctx, t.bundles[node], t.plan.Blobs)
		mu.Lock()
		defer mu.Unlock()
		t.ready[node] = ready
		return s.failed(err)
	})
}

// exchangeKeys gives the public keys of all workers, and records new ones.
func (t *transition) exchangeKeys(ctx context.Context) (map[string]string, error) {
	keys := map[string]string{}
	var mu sync.Mutex
	err := eachOrNone(ctx, t.nodes, t.o.Devices, func(ctx context.Context, node string) error {
		s := t.sites[node]
		key, err := s.publicKey(ctx, s.blob(programOf(t.To, node)))
		mu.Lock()
		defer mu.Unlock()
		keys[node] = key
		return s.failed(err)
	})
	if err != nil {
		return nil, err
	}
	changed := false
	for node, key := range keys {
		changed = changed || t.state.Nodes[node].PublicKey != key
	}
	if !changed {
		return keys, nil
	}
	return keys, t.record(func(s *statefile.State) {
		for node, key := range keys {
			s.Nodes[node] = withKey(s.Nodes[node], key)
		}
	})
}

// bringUp starts the new release on all devices and checks it as a whole.
func (t *transition) bringUp(ctx context.Context) error {
	if t.stopsFirst() {
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
	s := t.sites[t.To.Gateway]
	s.emit("probe", "checking %s with an inference", t.Model)
	if err := s.probe(ctx, t.folder, t.Model, t.To); err != nil {
		return s.failed(fmt.Errorf("the new pipeline does not answer: %w", err))
	}
	return nil
}

func (t *transition) startNew(ctx context.Context, node string) error {
	s := t.sites[node]
	if !t.ready[node] {
		if err := s.install(ctx, t.bundles[node]); err != nil {
			return err
		}
		t.markReady(node)
	}
	s.emit("start", "starting release %s of %s", t.To.Release, t.Model)
	return s.start(ctx, t.folder, t.To.Release)
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
		s := t.olds[node]
		s.emit("stop", "stopping release %s of %s", t.From.Release, t.Model)
		return s.failed(s.stopOthers(ctx, t.folder, ""))
	})
}

// commit switches the gateway, from where on requests meet the new release.
func (t *transition) commit(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	s := t.sites[t.To.Gateway]
	s.emit("switch", "switching %s to release %s", t.Model, t.To.Release)
	err := s.switchTo(ctx, t.folder, t.To.Release)
	if err == nil {
		return nil
	}
	// The answer may be what was lost. On a repair the link proves nothing, and
	// nothing hangs on it.
	if current, readErr := s.currentRelease(ctx, t.folder); readErr == nil && current == t.To.Release {
		return nil
	}
	return s.failed(err)
}

// follow does what is left after the commit: record it, switch the others and
// stop the old release. Each is tried, whatever fails.
func (t *transition) follow(ctx context.Context) error {
	recorded := t.record(func(s *statefile.State) {
		s.Models[t.Model] = *t.To
		for _, node := range t.nodes {
			s.Nodes[node] = withKey(t.plan.Desired.Nodes[node], s.Nodes[node].PublicKey)
		}
	})
	switched := each(t.nodes, t.o.Devices, func(node string) error {
		if node == t.To.Gateway {
			return nil
		}
		return t.sites[node].failed(t.sites[node].switchTo(ctx, t.folder, t.To.Release))
	})
	return errors.Join(recorded, switched, t.stopReplaced(ctx))
}

// stopReplaced stops every release but the new one.
func (t *transition) stopReplaced(ctx context.Context) error {
	sites := map[string]*site{}
	if t.From != nil {
		for _, node := range t.present(plan.ReleaseNodes(t.From)) {
			sites[node] = t.olds[node]
		}
	}
	for _, node := range t.nodes {
		if t.olds[node] == t.sites[node] {
			sites[node] = t.sites[node]
		}
	}
	return each(sortedKeys(sites), t.o.Devices, func(node string) error {
		keep := ""
		if sites[node] == t.sites[node] && t.bundles[node].id != "" {
			keep = t.To.Release
		}
		return sites[node].failed(sites[node].stopOthers(ctx, t.folder, keep))
	})
}

// programOf is the digest of a node's worker program.
func programOf(m *statefile.Model, node string) string {
	for _, blob := range m.Programs[node] {
		if blob.Name == worker.ProgramFile {
			return blob.Digest
		}
	}
	return ""
}
