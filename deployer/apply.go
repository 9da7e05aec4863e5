package deployer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// Recorder keeps the state. It may set the serial in the state it is given.
type Recorder interface {
	Record(*statefile.State) error
}

// Apply carries out a plan and records every step. First it looks at all devices
// and reports all that stands in the way, before anything is written; then it
// brings over what devices lack, starts each new release, checks it with an
// inference and switches to it. A deployment that fails leaves the release
// before it running, and the state says what is deployed. When ctx ends, the
// step in hand is finished or undone, and the error wraps that of ctx.
//
// Devices that only have to be cleaned do not hold up the others: one that
// cannot be reached stays in the state and is named in the error, or in a warning
// where the configuration has disabled it. Excluded devices are left alone.
func Apply(ctx context.Context, p *plan.Plan, rec Recorder, o Options) error {
	if err := checkPlan(p); err != nil {
		return fmt.Errorf("the plan cannot be carried out: %w", err)
	}
	a := newApplying(p, rec, o.withDefaults())
	defer a.close()
	if err := a.preflight(ctx); err != nil {
		return err
	}
	held, release, err := a.lease(ctx)
	if err != nil {
		return fmt.Errorf("nothing was changed:\n%w", err)
	}
	defer release()
	if err = a.carryOut(held); ctx.Err() == nil && held.Err() != nil {
		err = errors.Join(err, context.Cause(held))
	}
	return err
}

// carryOut does what the plan says, under the leases of all devices.
func (a *applying) carryOut(ctx context.Context) error {
	if err := a.announce(); err != nil {
		return err
	}
	if err := a.uploadAll(ctx); err != nil {
		return err
	}
	err := a.deployAll(ctx)
	if !wasInterrupted(err) { // that says enough
		err = errors.Join(err, a.cleanAll(ctx))
	}
	if err != nil {
		return errors.Join(err, a.awayErrors())
	}
	return errors.Join(a.finish(), a.awayErrors())
}

// applying is one run of Apply.
type applying struct {
	plan *plan.Plan
	rec  Recorder
	o    Options

	devices map[string]*device // by node
	sites   map[string]*site   // by node
	away    map[string]error   // devices to clean that cannot be reached
	failed  map[string]bool    // models whose deployment failed

	mu    sync.Mutex
	state *statefile.State // as recorded
}

func newApplying(p *plan.Plan, rec Recorder, o Options) *applying {
	a := &applying{plan: p, rec: rec, o: o, state: statefile.Clone(p.Prior), devices: map[string]*device{},
		sites: map[string]*site{}, away: map[string]error{}, failed: map[string]bool{}}
	if a.state.Nodes == nil {
		a.state.Nodes = map[string]statefile.Node{}
	}
	if a.state.Models == nil {
		a.state.Models = map[string]statefile.Model{}
	}
	for _, node := range a.receiving() {
		a.devices[node] = newDevice(node, p.Desired.Nodes[node], o)
	}
	for _, node := range a.leaving() {
		a.devices[node] = newDevice(node, p.Prior.Nodes[node], o)
	}
	return a
}

func (a *applying) close() {
	_ = each(sortedKeys(a.devices), a.o.Devices, func(node string) error {
		a.devices[node].close()
		return nil
	})
}

// receiving are the nodes that get a part of a release.
func (a *applying) receiving() []string {
	nodes := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.To != nil {
			for _, node := range plan.ReleaseNodes(d.To) {
				nodes[node] = true
			}
		}
	}
	return sortedKeys(nodes)
}

// leaving are the nodes that only lose something: a part of a release, or
// themselves.
func (a *applying) leaving() []string {
	nodes := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.From != nil {
			for _, node := range plan.ReleaseNodes(d.From) {
				_, nodes[node] = a.plan.Prior.Nodes[node] // one that is not known has been cleaned
			}
		}
	}
	maps.DeleteFunc(nodes, func(_ string, known bool) bool { return !known })
	for name, releases := range a.plan.Prior.Earlier {
		for i := range releases {
			if !keeps(a.plan.Desired.Earlier[name], releases[i].Release) && a.plan.Desired.Models[name].Release != releases[i].Release {
				a.addKnown(nodes, &releases[i])
			}
		}
	}
	for node := range a.plan.Prior.Nodes {
		if _, stays := a.plan.Desired.Nodes[node]; !stays {
			nodes[node] = true
		}
	}
	for _, node := range append(a.receiving(), a.plan.Excluded...) {
		delete(nodes, node)
	}
	return sortedKeys(nodes)
}

// addKnown adds the nodes of a release that the state knows how to reach.
func (a *applying) addKnown(nodes map[string]bool, m *statefile.Model) {
	for _, node := range plan.ReleaseNodes(m) {
		if _, known := a.plan.Prior.Nodes[node]; known {
			nodes[node] = true
		}
	}
}

func keeps(releases []statefile.Model, id string) bool {
	return slices.ContainsFunc(releases, func(m statefile.Model) bool { return m.Release == id })
}

// record changes the state and keeps it.
func (a *applying) record(change func(*statefile.State)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a.state)
	return a.rec.Record(a.state)
}

// announce records the nodes that are about to carry something, so that they can
// be cleaned whatever happens next.
func (a *applying) announce() error {
	var added []string
	for _, node := range a.receiving() {
		if _, known := a.state.Nodes[node]; !known {
			added = append(added, node)
		}
	}
	if len(added) == 0 {
		return nil
	}
	return a.record(func(s *statefile.State) {
		for _, node := range added {
			s.Nodes[node] = a.plan.Desired.Nodes[node]
		}
	})
}

// wanted are all blobs of a node's new releases, each once.
func (a *applying) wanted(node string) []statefile.Blob {
	var list []statefile.Blob
	seen := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.To == nil || !slices.Contains(plan.ReleaseNodes(d.To), node) {
			continue
		}
		for _, blob := range plan.NodeBlobs(d.To, node) {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				list = append(list, blob)
			}
		}
	}
	return list
}

// uploadAll brings every blob that a device lacks. Nothing runs differently by it.
func (a *applying) uploadAll(ctx context.Context) error {
	err := eachOrNone(ctx, a.receiving(), a.o.Devices, func(ctx context.Context, node string) error {
		return a.devices[node].failed(a.uploadTo(ctx, node))
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	for _, d := range a.plan.Deployments {
		a.failed[d.Model] = true
	}
	return errors.Join(a.interrupted(ctx), remaining(ctx, err))
}

func (a *applying) uploadTo(ctx context.Context, node string) error {
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
	return s.upload(ctx, a.plan.Blobs, missing)
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

// present leaves out devices that cannot be reached.
func (a *applying) present(nodes []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(node string) bool { return a.away[node] != nil || a.sites[node] == nil })
}

const stillThere = "what edgeplan put there is still to be removed: the state keeps the device, and the next apply or destroy that reaches it does that"

func (a *applying) awayErrors() error {
	var problems []error
	for _, node := range sortedKeys(a.away) {
		if slices.Contains(a.plan.Disabled, node) {
			a.devices[node].emit("warning", "%v; %s", a.away[node], stillThere)
			continue
		}
		problems = append(problems, fmt.Errorf("%w; %s", a.away[node], stillThere))
	}
	return errors.Join(problems...)
}

// finish records what is not on devices: outputs, predictions, and how to reach
// devices from now on.
func (a *applying) finish() error {
	return a.record(func(s *statefile.State) {
		desired := statefile.Clone(a.plan.Desired)
		s.Models, s.Earlier, s.Outputs = desired.Models, desired.Earlier, desired.Outputs
		for node, known := range desired.Nodes {
			s.Nodes[node] = withKey(known, s.Nodes[node].PublicKey)
		}
	})
}

// withKey keeps a public key that is known.
func withKey(n statefile.Node, key string) statefile.Node {
	if key != "" {
		n.PublicKey = key
	}
	return n
}
