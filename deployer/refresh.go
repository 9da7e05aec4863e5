package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// Observation is what was found on devices.
type Observation struct {
	Drift []plan.Drift // in order of model and node
	// Held are the sizes in bytes of the blobs on each node that was asked, by digest.
	Held map[string]map[string]int64
}

// Refresh looks at the devices of a state, but for those to skip, and tells what
// differs from it on those that carry a part of a model. Of the others it tells only
// what they hold, where they answer. It changes nothing but the times of files that it had
// to hash and found whole, to those that tell so (blobTime). A device that cannot be
// asked is an error; the error joins those of all devices. One that shows another host
// key is not connected to, and that is what is found of it.
func Refresh(ctx context.Context, state *statefile.State, skip map[string]bool, o Options) (Observation, error) {
	o = o.withDefaults()
	parts := map[string][]part{} // by node
	for _, name := range sortedKeys(state.Models) {
		m := state.Models[name]
		if err := checkModel(name, &m); err != nil {
			return Observation{}, fmt.Errorf("the state cannot be right: %w", err)
		}
		for _, node := range plan.ReleaseNodes(&m) {
			if !skip[node] {
				parts[node] = append(parts[node], part{name, DeploymentName(name, state.Lineage), &m})
			}
		}
	}
	for node := range state.Nodes {
		if _, carries := parts[node]; !carries && !skip[node] {
			parts[node] = nil
		}
	}
	seen := Observation{Held: map[string]map[string]int64{}}
	var mu sync.Mutex
	err := each(sortedKeys(parts), o.Devices, func(node string) error {
		found, err := inspectNode(ctx, node, state, parts[node], o)
		mu.Lock()
		defer mu.Unlock()
		seen.Drift = append(seen.Drift, found.drift...)
		if found.held != nil {
			seen.Held[node] = found.held
		}
		return err
	})
	if err != nil {
		return Observation{}, err
	}
	slices.SortStableFunc(seen.Drift, func(a, b plan.Drift) int {
		return cmp.Or(strings.Compare(a.Model, b.Model), strings.Compare(a.Node, b.Node))
	})
	return seen, nil
}

// part is one model's part on a node.
type part struct {
	name       string
	deployment string
	model      *statefile.Model
}

// nodeFound is what was found on one node.
type nodeFound struct {
	drift []plan.Drift
	held  map[string]int64
}

// inspectNode looks at one node. One whose host key changed is not connected to: all
// that is known of it is that.
func inspectNode(ctx context.Context, node string, state *statefile.State, parts []part, o Options) (nodeFound, error) {
	known, ok := state.Nodes[node]
	if !ok {
		return nodeFound{}, fmt.Errorf("%s: the state does not say how to reach it", node)
	}
	d := newDevice(node, known, o)
	defer d.close()
	s, err := siteOf(ctx, d, known.Path, state.Lineage)
	var changed *ChangedHostKeyError
	var jump *JumpError
	if errors.As(err, &changed) && !errors.As(err, &jump) {
		return notConnected(node, parts, changed), nil
	}
	found := nodeFound{}
	if err == nil {
		found, err = s.inspectAll(ctx, parts, state)
	}
	if err != nil && len(parts) == 0 {
		return nodeFound{}, nil // nothing that serves is there
	}
	return found, d.failed(err)
}

// notConnected is what there is to say of a node whose host key nobody has vouched for.
func notConnected(node string, parts []part, changed *ChangedHostKeyError) nodeFound {
	var found nodeFound
	for _, p := range parts {
		found.drift = append(found.drift, plan.Drift{Model: p.name, Node: node, Restart: true,
			Problem: changed.summary() + "; it was not connected to, and apply refuses it until the key is accepted"})
	}
	return found
}

func (s *site) inspectAll(ctx context.Context, parts []part, state *statefile.State) (nodeFound, error) {
	var found nodeFound
	damaged := map[string]bool{}
	for _, p := range parts {
		if program, ok := plan.WorkerProgram(p.model, s.name); ok {
			s.program = s.blob(program.Digest)
		}
		list, err := s.inspect(ctx, p, state)
		if err != nil {
			return nodeFound{}, err
		}
		for _, f := range list {
			f.drift.Model, f.drift.Node = p.name, s.name
			found.drift = append(found.drift, f.drift)
			for _, blob := range f.damaged {
				damaged[blob.Digest] = true
			}
		}
	}
	held, err := s.held(ctx)
	maps.DeleteFunc(held, func(digest string, _ int64) bool { return damaged[digest] })
	found.held = held
	return found, err
}
