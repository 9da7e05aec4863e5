package deployer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"

	"github.com/edgeplan/edgeplan/worker"
)

// prune removes every deployment of the state that is not carried, old releases
// of the others, and blobs that no release refers to. Where no deployment is
// left, the key and the folder go as well; files that are not edgeplan's stay.
func (s *site) prune(ctx context.Context, carried map[string][]string) error {
	infos, err := s.list(ctx, s.root)
	if err != nil || len(infos) == 0 {
		return errors.Join(err, s.removeEmpty(ctx))
	}
	for _, info := range infos {
		name := info.Name()
		if !info.IsDir() || name == "blobs" {
			continue
		}
		keep, stays := carried[name]
		switch {
		case stays:
			err = s.pruneReleases(ctx, name, keep)
		case strings.HasSuffix(name, lineageSuffix(s.lineage)):
			err = s.removeDeployment(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(s.collectBlobs(ctx), s.removeHalfLeases(ctx)); err != nil {
		return err
	}
	if left, err := s.anyDeployment(ctx); err != nil || left {
		return err
	}
	return s.removeRoot(ctx)
}

// anyDeployment says whether a deployment of any state is left. Of two states
// that leave a device at once, the last to look sees none.
func (s *site) anyDeployment(ctx context.Context) (bool, error) {
	infos, err := s.list(ctx, s.root)
	for _, info := range infos {
		if !info.IsDir() || info.Name() == "blobs" {
			continue
		}
		if left, err := s.exists(ctx, path.Join(s.deployment(info.Name()), releasesDir)); err != nil || left {
			return left, err
		}
	}
	return false, err
}

// removeDeployment stops all of a deployment and removes its folder.
func (s *site) removeDeployment(ctx context.Context, deployment string) error {
	s.emit("clean", "removing %s", deployment)
	if err := s.forgetAll(ctx, deployment); err != nil {
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
		if !half && slices.Contains(keep, id) {
			continue
		}
		if !half {
			s.emit("clean", "removing release %s of %s", id, deployment)
			if err := s.forget(ctx, deployment, id); err != nil {
				return err
			}
		}
		if err := s.removeTree(ctx, s.release(deployment, id)); err != nil {
			return err
		}
	}
	if err := s.remove(ctx, s.promised(deployment)); err != nil { // of a switch that failed
		return err
	}
	return s.removeTemporary(ctx, s.deployment(deployment))
}

// collectBlobs removes the blobs that no release on the device refers to,
// whichever state it belongs to. Where a release does not tell, all stay.
func (s *site) collectBlobs(ctx context.Context) error {
	if err := s.removeTemporary(ctx, s.blobs()); err != nil {
		return err
	}
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
		if told && digestPattern.MatchString(name) && !used[name] {
			garbage = append(garbage, name)
		}
	}
	for names := range slices.Chunk(garbage, batchFiles) {
		args := append([]string{s.blobs()}, names...)
		if _, err := s.script(ctx, "remove unused blobs", `cd "$1" 2>/dev/null || exit 0; shift; rm -f "$@"`, args...); err != nil {
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

// removeHalfLeases removes leases that were never put in their place, when none of
// this run's is being written.
func (s *site) removeHalfLeases(ctx context.Context) error {
	if s.lease != nil {
		s.lease.mu.Lock()
		defer s.lease.mu.Unlock()
	}
	return s.removeTemporary(ctx, s.root)
}

// removeRoot removes edgeplan's own files from a folder without deployments,
// and the folder when nothing else is in it.
func (s *site) removeRoot(ctx context.Context) error {
	s.emit("clean", "removing %s", s.root)
	if err := s.remove(ctx, path.Join(s.root, worker.KeyFile)); err != nil {
		return err
	}
	s.dropLease(ctx) // the last thing of ours that is in the folder
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
			if !leasePattern.MatchString(info.Name()) {
				names = append(names, info.Name())
			}
		}
		return nil
	})
	if err == nil && len(names) > 0 {
		s.emit("clean", "%s stays: %s is not edgeplan's", s.root, strings.Join(names, ", "))
	}
	return err
}
