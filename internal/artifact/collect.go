package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Status says what Collect did about an artifact.
type Status string

// What Collect may do.
const (
	Added       Status = "added"       // pinned for the first time
	Unchanged   Status = "unchanged"   // as pinned
	Upgraded    Status = "upgraded"    // pinned anew
	Unavailable Status = "unavailable" // there is no engine for the platform
)

// Action is one thing Collect did.
type Action struct {
	Status   Status
	Artifact Artifact // only Kind and Platform when unavailable
	Before   string   // the digest pinned before, when upgraded
	Reason   error    // why it is unavailable
}

// Collect puts the workers and engines of the platforms, and the engine of the
// operator's own, into the work folder of a configuration folder and pins them in
// its lock file. What differs from the lock file is refused with ErrDigest unless
// o.Upgrade accepts it. Nothing is changed when any of it fails. Platforms that
// are pinned and not asked for stay pinned.
func Collect(ctx context.Context, dir string, platforms []string, o Options) (*Set, []Action, error) {
	pinned, err := readPins(dir)
	if err != nil {
		return nil, nil, err
	}
	o.installed = newSet(dir, pinned, o)
	work := filepath.Join(dir, WorkDir)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make the work folder: %w", err)
	}
	temp, err := os.MkdirTemp(work, ".build-*")
	if err != nil {
		return nil, nil, fmt.Errorf("use the work folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	found, err := o.find(ctx, platforms, temp)
	if err != nil {
		return nil, nil, err
	}
	actions, pinned, err := decide(found, pinned, o.Upgrade)
	if err != nil {
		return nil, nil, err
	}
	if err := installAll(dir, actions); err != nil {
		return nil, nil, err
	}
	if err := writePins(dir, pinned); err != nil {
		return nil, nil, err
	}
	return newSet(dir, pinned, o), actions, nil
}

// find finds every artifact, all of what fails at once.
func (o Options) find(ctx context.Context, platforms []string, temp string) ([]Action, error) {
	var found []Action
	var problems []error
	add := func(kind Kind, platform string, a Artifact, err error) {
		if errors.Is(err, ErrUnavailable) {
			found = append(found, Action{Status: Unavailable, Artifact: Artifact{Kind: kind, Platform: platform}, Reason: err})
		} else if err != nil {
			problems = append(problems, err)
		} else {
			found = append(found, Action{Artifact: a})
		}
	}
	for _, platform := range sorted(append(slices.Clone(platforms), o.Host)) {
		a, err := Engine(ctx, platform, o)
		add(KindEngine, platform, a, err)
	}
	for _, platform := range sorted(platforms) {
		a, err := Worker(ctx, platform, temp, o)
		add(KindWorker, platform, a, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return found, errors.Join(problems...)
}

// sorted gives the names once each, in order.
func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// decide compares what was found with the pins, and gives the pins as they
// shall be.
func decide(found []Action, pinned pins, upgrade bool) ([]Action, pins, error) {
	var problems []error
	for i := range found {
		a := found[i].Artifact
		if found[i].Status == Unavailable {
			continue
		}
		before, ok := pinned.find(a.Kind, a.Platform)
		now := pin{a.Kind, a.Platform, a.Version, a.Digest}
		switch {
		case !ok:
			found[i].Status = Added
		case before == now:
			found[i].Status = Unchanged
		case !upgrade:
			problems = append(problems, refuse(before, a))
			continue
		default:
			found[i].Status, found[i].Before = Upgraded, before.Digest
		}
		pinned = pinned.with(now)
	}
	return found, pinned, errors.Join(problems...)
}

func refuse(before pin, a Artifact) error {
	return fmt.Errorf("%s %s: %w: it pins version %s with sha256 %s, and %s (%s) is version %s with sha256 %s; "+
		"if you want the new one, accept it with `edgeplan init -upgrade`",
		a.Kind, a.Platform, ErrDigest, before.Version, before.Digest, a.Path, a.Source, a.Version, a.Digest)
}

func installAll(dir string, actions []Action) error {
	for i := range actions {
		a := &actions[i].Artifact
		if actions[i].Status == Unavailable {
			continue
		}
		target, mode := collectedPath(dir, a.Kind, a.Platform), fs.FileMode(0o644)
		if a.Kind == KindWorker {
			mode = 0o755
		}
		if err := install(*a, target, mode); err != nil {
			return fmt.Errorf("collect the %s for %s: %w", a.Kind, a.Platform, err)
		}
		a.Path = target
	}
	return nil
}
