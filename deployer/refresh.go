package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Observation is what was found on devices.
type Observation struct {
	Drift []plan.Drift // in order of model and node
	// Held are the sizes in bytes of the blobs on each node that was asked, by digest.
	Held map[string]map[string]int64
}

// Refresh looks at the devices of a state's models, but for those to skip, and
// tells what differs from the state. It changes nothing. A device that cannot be
// asked is an error; the error joins those of all devices.
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
	seen := Observation{Held: map[string]map[string]int64{}}
	var mu sync.Mutex
	err := each(sortedKeys(parts), o.Devices, func(node string) error {
		drift, held, err := inspectNode(ctx, node, state, parts[node], o)
		mu.Lock()
		defer mu.Unlock()
		seen.Drift = append(seen.Drift, drift...)
		seen.Held[node] = held
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

func inspectNode(ctx context.Context, node string, state *statefile.State, parts []part, o Options) ([]plan.Drift, map[string]int64, error) {
	known, ok := state.Nodes[node]
	if !ok {
		return nil, nil, fmt.Errorf("%s: the state does not say how to reach it", node)
	}
	d := newDevice(node, known, o)
	defer d.close()
	s, err := siteOf(ctx, d, known.Path, state.Lineage)
	if err != nil {
		return nil, nil, d.failed(err)
	}
	var drift []plan.Drift
	for _, p := range parts {
		if program, ok := plan.WorkerProgram(p.model, node); ok {
			s.program = s.blob(program.Digest)
		}
		found, err := s.inspect(ctx, p, known.PublicKey)
		if err != nil {
			return nil, nil, d.failed(err)
		}
		for _, f := range found {
			drift = append(drift, plan.Drift{Model: p.name, Node: node, Problem: f.problem, NewKey: f.newKey})
		}
	}
	held, err := s.held(ctx)
	return drift, held, d.failed(err)
}

// finding is one thing that is not as the state says.
type finding struct {
	problem string
	newKey  bool
}

// inspect compares one model's part with what is on the device.
func (s *site) inspect(ctx context.Context, p part, key string) ([]finding, error) {
	release := p.model.Release
	missing, err := s.incomplete(ctx, s.release(p.deployment, release), plan.NodeBlobs(p.model, s.name))
	if err != nil {
		return nil, err
	}
	changed, err := s.keyProblem(ctx, s.release(p.deployment, release), key)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		return []finding{{fmt.Sprintf("release %s is not complete: %s", release, missing), changed != ""}}, nil
	}
	var problems []finding
	add := func(format string, args ...any) {
		problems = append(problems, finding{problem: fmt.Sprintf(format, args...)})
	}
	current, err := s.currentRelease(ctx, p.deployment)
	switch {
	case errors.Is(err, errNoLink):
		add("%v", err)
	case err != nil:
		return nil, err
	case current == "":
		add("the link to the current release is gone")
	case current != release:
		add("the current release is %q, not %s", current, release)
	}
	if begun, err := s.isPromised(ctx, p.deployment); err != nil {
		return nil, err
	} else if begun {
		add("a switch was begun and not finished: after a reboot two releases start")
	}
	if changed != "" {
		problems = append(problems, finding{changed, true})
	}
	status, err := s.status(ctx, p.deployment, release, "")
	switch {
	case s.gone(err):
		return nil, err
	case err != nil:
		add("the worker does not tell its status: %v", err)
	case !status.Running:
		add("the worker is not running")
	case !status.Ready:
		add("the worker is running and not ready")
	}
	strays, err := s.strays(ctx, p.deployment, release)
	for _, stray := range strays {
		add("%s", stray)
	}
	return problems, err
}

// incomplete names a file that a release folder lacks; "" when it has all.
func (s *site) incomplete(ctx context.Context, dir string, blobs []statefile.Blob) (string, error) {
	infos, err := s.list(ctx, dir)
	if err != nil {
		return "", err
	}
	if len(infos) == 0 {
		return "its folder is gone", nil
	}
	sizes := map[string]int64{}
	for _, info := range infos {
		sizes[info.Name()] = info.Size()
	}
	for _, name := range []string{worker.ManifestFile, worker.PeersFile} {
		if _, ok := sizes[name]; !ok {
			return name + " is missing", nil
		}
	}
	for _, blob := range blobs {
		switch size, ok := sizes[blob.Name]; {
		case !ok:
			return blobName(blob) + " is missing", nil
		case size != blob.Size:
			return fmt.Sprintf("%s has %d bytes instead of %d", blobName(blob), size, blob.Size), nil
		}
	}
	return "", nil
}

// strays are other releases of a deployment that run.
func (s *site) strays(ctx context.Context, deployment, release string) ([]string, error) {
	infos, err := s.list(ctx, path.Join(s.deployment(deployment), releasesDir))
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, info := range infos {
		id := info.Name()
		if id == release || strings.HasSuffix(id, unfinished) {
			continue
		}
		status, err := s.status(ctx, deployment, id, s.program)
		if s.gone(err) {
			return nil, err
		}
		if err == nil && status.Running {
			problems = append(problems, fmt.Sprintf("release %s still runs", id))
		}
	}
	return problems, nil
}

// gone says whether an error is of the connection, not of what was run.
func (s *site) gone(err error) bool {
	if err == nil {
		return false
	}
	s.device.mu.Lock()
	defer s.device.mu.Unlock()
	return s.link == nil || s.link.lost() != nil
}
