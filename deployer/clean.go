package deployer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// cleanAll removes what is no longer needed from the devices of this run, and
// records models and nodes that are gone. Devices of a deployment that failed
// keep all they have: the next run goes on from there.
func (a *applying) cleanAll(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("what is no longer needed on the devices was not removed: %w", err)
	}
	kept := a.keptNodes()
	nodes := slices.DeleteFunc(a.present(sortedKeys(a.devices)), func(node string) bool { return kept[node] })
	err := each(nodes, a.o.Devices, func(node string) error {
		return a.devices[node].failed(a.cleanNode(ctx, node))
	})
	return errors.Join(err, a.dropModels(nodes, err == nil))
}

// keptNodes carry a part of a deployment that failed.
func (a *applying) keptNodes() map[string]bool {
	kept := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if !a.failed[d.Model] {
			continue
		}
		for _, m := range []*statefile.Model{d.From, d.To} {
			if m == nil {
				continue
			}
			for _, node := range plan.ReleaseNodes(m) {
				kept[node] = true
			}
		}
	}
	return kept
}

// dropModels records removed models as gone, once no device has a part of them.
func (a *applying) dropModels(cleaned []string, all bool) error {
	var gone []string
	for _, d := range a.plan.Deployments {
		if d.To != nil || d.From == nil || !all {
			continue
		}
		clean := !slices.ContainsFunc(plan.ReleaseNodes(d.From), func(node string) bool { return !slices.Contains(cleaned, node) })
		if clean {
			gone = append(gone, d.Model)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return a.record(func(s *statefile.State) {
		for _, model := range gone {
			delete(s.Models, model)
		}
	})
}

// cleanNode removes from one device what the state no longer has there, and
// drops the node from the state when nothing is left.
func (a *applying) cleanNode(ctx context.Context, node string) error {
	s, old := a.sites[node], a.olds[node]
	if old != s {
		if err := old.prune(ctx, a.plan.Prior.Lineage, nil); err != nil {
			return err
		}
	}
	carried := a.carried(node)
	if err := s.prune(ctx, a.plan.Prior.Lineage, carried); err != nil {
		return err
	}
	if len(carried) > 0 || !a.knows(node) {
		return nil
	}
	return a.record(func(s *statefile.State) { delete(s.Nodes, node) })
}

// knows says whether the state has a node.
func (a *applying) knows(node string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known := a.state.Nodes[node]
	return known
}

// carried are the releases to keep on a node, by deployment folder: the deployed
// one, and the one before for going back to it.
func (a *applying) carried(node string) map[string][]string {
	a.mu.Lock()
	models := maps.Clone(a.state.Models)
	a.mu.Unlock()
	before := map[string]string{}
	changes := map[string]bool{}
	for _, d := range a.plan.Deployments {
		if d.To == nil {
			delete(models, d.Model)
			continue
		}
		if d.From != nil && d.From.Release != d.To.Release {
			before[d.Model], changes[d.Model] = d.From.Release, true
		}
	}
	carried := map[string][]string{}
	for _, name := range sortedKeys(models) {
		m := models[name]
		if !slices.Contains(plan.ReleaseNodes(&m), node) {
			continue
		}
		keep := []string{m.Release, before[name]}
		if !changes[name] {
			keep = append(keep, anyRelease)
		}
		carried[DeploymentName(name, a.plan.Prior.Lineage)] = keep
	}
	return carried
}

// anyRelease keeps all releases of a deployment that did not change in this run.
const anyRelease = "*"

// prune removes every deployment of a lineage that is not carried, old releases
// of the others, and blobs that no release refers to. Where no deployment is
// left, the key and the folder go as well; files that are not edgeplan's stay.
func (s *site) prune(ctx context.Context, lineage string, carried map[string][]string) error {
	infos, err := s.list(ctx, s.root)
	if err != nil || len(infos) == 0 {
		return errors.Join(err, s.removeEmpty(ctx))
	}
	left := false
	for _, info := range infos {
		name := info.Name()
		if !info.IsDir() || name == "blobs" {
			continue
		}
		keep, stays := carried[name]
		switch {
		case stays:
			err = s.pruneReleases(ctx, name, keep)
		case strings.HasSuffix(name, lineageSuffix(lineage)):
			err = s.removeDeployment(ctx, name)
		default: // another state's, or not edgeplan's at all
			stays, err = s.exists(ctx, path.Join(s.deployment(name), releasesDir))
		}
		if err != nil {
			return err
		}
		left = left || stays
	}
	if err := s.collectBlobs(ctx); err != nil || left {
		return err
	}
	return s.removeRoot(ctx)
}

// removeDeployment stops all of a deployment and removes its folder.
func (s *site) removeDeployment(ctx context.Context, deployment string) error {
	s.emit("clean", "removing %s", deployment)
	if err := s.stopOthers(ctx, deployment, ""); err != nil {
		return err
	}
	return s.removeTree(ctx, s.deployment(deployment))
}

// removeTree removes a folder of a deployment, and nothing else.
func (s *site) removeTree(ctx context.Context, dir string) error {
	if !strings.HasPrefix(dir, s.root+"/") || path.Clean(dir) != dir {
		return fmt.Errorf("%q is not inside %s: not removed", dir, s.root)
	}
	_, err := s.run(ctx, "rm", "-rf", dir)
	return err
}

func (s *site) pruneReleases(ctx context.Context, deployment string, keep []string) error {
	infos, err := s.list(ctx, path.Join(s.deployment(deployment), releasesDir))
	if err != nil {
		return err
	}
	for _, info := range infos {
		id := info.Name()
		half := strings.HasSuffix(id, unfinished)
		if !half && (slices.Contains(keep, id) || slices.Contains(keep, anyRelease)) {
			continue
		}
		if !half {
			s.emit("clean", "removing release %s of %s", id, deployment)
			if err := s.stop(ctx, deployment, id); err != nil {
				return err
			}
		}
		if err := s.removeTree(ctx, s.release(deployment, id)); err != nil {
			return err
		}
	}
	return s.removeTemporary(ctx, s.deployment(deployment)) // links that were not switched to
}

// collectBlobs removes the blobs that no release on the device refers to,
// whichever state it belongs to. Where a release does not tell, all stay.
func (s *site) collectBlobs(ctx context.Context) error {
	infos, err := s.list(ctx, s.blobs())
	if err != nil || len(infos) == 0 {
		return err
	}
	used, told, err := s.references(ctx)
	if err != nil {
		return err
	}
	var garbage []string
	for _, info := range infos {
		name := info.Name()
		if strings.HasPrefix(name, temporary) || told && digestPattern.MatchString(name) && !used[name] {
			garbage = append(garbage, name)
		}
	}
	for names := range slices.Chunk(garbage, batchFiles) {
		args := append([]string{s.blobs()}, names...)
		if _, err := s.script(ctx, "remove unused blobs", `cd "$1" && shift && rm -f "$@"`, args...); err != nil {
			return err
		}
	}
	return nil
}

// references are the digests that releases on the device refer to; told is
// false when one of them cannot say.
func (s *site) references(ctx context.Context) (used map[string]bool, told bool, err error) {
	used = map[string]bool{}
	folders, err := s.list(ctx, s.root)
	if err != nil {
		return nil, false, err
	}
	for _, folder := range folders {
		if !folder.IsDir() || folder.Name() == "blobs" {
			continue
		}
		releases, err := s.list(ctx, path.Join(s.root, folder.Name(), releasesDir))
		if err != nil {
			return nil, false, err
		}
		for _, release := range releases {
			sums, ok, err := s.readSmall(ctx, path.Join(s.release(folder.Name(), release.Name()), sumsFile))
			if err != nil || !ok {
				return nil, false, err
			}
			for line := range strings.Lines(string(sums)) {
				digest, _, _ := strings.Cut(line, " ")
				used[digest] = true
			}
		}
	}
	return used, true, nil
}

// removeRoot removes edgeplan's own files from a folder without deployments,
// and the folder when nothing else is in it.
func (s *site) removeRoot(ctx context.Context) error {
	s.emit("clean", "removing %s", s.root)
	if err := s.remove(ctx, path.Join(s.root, worker.KeyFile)); err != nil {
		return err
	}
	return s.removeEmpty(ctx)
}

// removeEmpty removes the folders that are empty.
func (s *site) removeEmpty(ctx context.Context) error {
	const script = `for d in "$1/blobs/sha256" "$1/blobs" "$1"; do rmdir "$d" 2>/dev/null || :; done`
	if _, err := s.script(ctx, "remove empty folders", script, s.root); err != nil {
		return err
	}
	var names []string
	err := s.files(ctx, func(c *sftp.Client) error {
		infos, _ := c.ReadDirContext(ctx, s.root)
		for _, info := range infos {
			names = append(names, info.Name())
		}
		return nil
	})
	if err == nil && len(names) > 0 {
		s.emit("clean", "%s stays: %s is not edgeplan's", s.root, strings.Join(names, ", "))
	}
	return err
}
