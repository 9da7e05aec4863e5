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
