package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// finding is one thing on a device that is not as the state says.
type finding struct {
	drift   plan.Drift
	damaged []statefile.Blob // whose content is another one
}

func differs(format string, args ...any) finding {
	return finding{drift: plan.Drift{Problem: fmt.Sprintf(format, args...)}}
}

// restarting is a finding whose repair starts the worker again.
func (f finding) restarting() finding {
	f.drift.Restart = true
	return f
}

// inspect compares one model's part with what is on the device.
func (s *site) inspect(ctx context.Context, p part, state *statefile.State) ([]finding, error) {
	dir := s.release(p.deployment, p.model.Release)
	key, rotated, err := s.inspectKey(ctx, dir, state.Nodes[s.name].PublicKey)
	if err != nil {
		return nil, err
	}
	files, err := s.inspectFiles(ctx, dir, p, state)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 { // the worker and the link tell nothing then
		files[0].drift.NewKey, files[0].drift.PublicKey = rotated, key.drift.PublicKey
		return files, nil
	}
	problems, err := s.inspectLink(ctx, p)
	if err != nil {
		return nil, err
	}
	if begun, err := s.isPromised(ctx, p.deployment); err != nil {
		return nil, err
	} else if begun {
		problems = append(problems, differs("a switch was begun and not finished: after a reboot two releases wait to be called for"))
	}
	if rotated {
		problems = append(problems, key)
	}
	running, err := s.inspectWorker(ctx, p)
	return append(problems, running...), err
}

// inspectKey compares the key of the worker with the known one.
func (s *site) inspectKey(ctx context.Context, dir, known string) (f finding, rotated bool, err error) {
	problem, key, err := s.keyProblem(ctx, dir, known)
	if problem == "" || err != nil {
		return finding{}, false, err
	}
	f = differs("%s", problem).restarting()
	f.drift.NewKey, f.drift.PublicKey = true, key
	return f, true, nil
}

// inspectFiles looks whether a release is whole. Of a blob it compares size and time of
// modification, which is made to tell the digest (blobTime); only where that is another
// one, or where all are asked for, the device reads and hashes the file.
func (s *site) inspectFiles(ctx context.Context, dir string, p part, state *statefile.State) ([]finding, error) {
	infos, err := s.list(ctx, dir)
	if err != nil {
		return nil, err
	}
	blobs := plan.NodeBlobs(p.model, s.name)
	missing, suspect := s.compareFiles(infos, blobs)
	if missing != "" {
		return []finding{differs("release %s is not complete: %s", p.model.Release, missing).restarting()}, nil
	}
	small, err := s.changedSmall(ctx, dir, p, state)
	if err != nil || small != "" {
		return []finding{differs("release %s is not as it was put there: %s", p.model.Release, small).restarting()}, err
	}
	damaged, err := s.damaged(ctx, dir, suspect, true)
	if err != nil {
		return nil, err
	}
	if len(damaged) == 0 {
		return nil, s.stamp(ctx, dir, suspect, infos) // so that they are not hashed for ever
	}
	f := differs("release %s is damaged: %s", p.model.Release, otherContent(damaged)).restarting()
	f.damaged = damaged
	return []finding{f}, nil
}

// otherContent names the first of some files whose content is another one.
func otherContent(damaged []statefile.Blob) string {
	if len(damaged) > 1 {
		return fmt.Sprintf("%s and %s have another content than their digest says", blobName(damaged[0]), count(len(damaged)-1, "other file"))
	}
	return blobName(damaged[0]) + " has another content than its digest says"
}

// compareFiles names a file that a release folder lacks, "" when it has all, and gives
// the blobs whose content may be another one.
func (s *site) compareFiles(infos []fs.FileInfo, blobs []statefile.Blob) (missing string, suspect []statefile.Blob) {
	if len(infos) == 0 {
		return "its folder is gone", nil
	}
	there := byName(infos)
	for _, name := range []string{worker.ManifestFile, worker.PeersFile} {
		if there[name] == nil {
			return name + " is missing", nil
		}
	}
	for _, blob := range blobs {
		switch info := there[blob.Name]; {
		case info == nil:
			return blobName(blob) + " is missing", nil
		case info.Size() != blob.Size:
			return fmt.Sprintf("%s has %d bytes instead of %d", blobName(blob), info.Size(), blob.Size), nil
		case s.o.HashAll || !info.ModTime().Equal(blobTime(blob.Digest)):
			suspect = append(suspect, blob)
		}
	}
	return "", suspect
}

// changedSmall names a small file of a release whose content is not what follows from
// the state; "" when there is none.
func (s *site) changedSmall(ctx context.Context, dir string, p part, state *statefile.State) (string, error) {
	keys := map[string]string{}
	for node, known := range state.Nodes {
		keys[node] = known.PublicKey
	}
	d := plan.Deployment{Model: p.name, To: p.model, Manifests: plan.Manifests(p.name, p.model, state.Nodes)}
	b, err := newBundle(d, s.name, state.Lineage, keys)
	if err != nil {
		return "", nil // a key that the state does not know yet: there is nothing to compare with
	}
	for _, name := range []string{worker.ManifestFile, worker.PeersFile} {
		content, _, err := s.readSmall(ctx, path.Join(dir, name))
		if err != nil {
			return "", err
		}
		if string(content) != string(b.small()[name]) {
			return name + " is another one", nil
		}
	}
	return "", nil
}

// inspectLink looks whether the release is the current one.
func (s *site) inspectLink(ctx context.Context, p part) ([]finding, error) {
	current, err := s.currentRelease(ctx, p.deployment)
	switch {
	case errors.Is(err, errNoLink):
		return []finding{differs("%v", err)}, nil
	case err != nil:
		return nil, err
	case current == "":
		return []finding{differs("the link to the current release is gone")}, nil
	case current != p.model.Release:
		return []finding{differs("the current release is %q, not %s", current, p.model.Release)}, nil
	}
	return nil, nil
}

// inspectWorker looks whether the worker of the release runs, and no other.
func (s *site) inspectWorker(ctx context.Context, p part) ([]finding, error) {
	var problems []finding
	status, err := s.status(ctx, p.deployment, p.model.Release, "")
	switch {
	case s.gone(err):
		return nil, err
	case err != nil:
		problems = append(problems, differs("the worker does not tell its status: %v", err).restarting())
	case !status.Running:
		problems = append(problems, differs("the worker is not running").restarting())
	case !status.Ready:
		problems = append(problems, differs("the worker is running and not ready").restarting())
	}
	if status.LostAddress != "" {
		problems = append(problems, differs("it no longer has the address %s, at which the others look for it: give it that address again, or set pipeline_address to one that it keeps", oneLine(status.LostAddress)))
	}
	strays, err := s.strays(ctx, p.deployment, p.model.Release)
	for _, stray := range strays {
		problems = append(problems, differs("%s", stray))
	}
	return problems, err
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
