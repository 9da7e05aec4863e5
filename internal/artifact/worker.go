package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeplan/edgeplan/internal/version"
)

// workerName is the worker's file name where it is collected; a release archive
// adds the platform: edgeplan-worker_linux_arm64.
const workerName = "edgeplan-worker"

// errNoSource: neither a ready worker nor what it takes to build one.
var errNoSource = errors.New("no worker and no source")

// Worker finds the worker program of a platform: beside the executable, as a
// release archive lays it, or built with the Go toolchain from the source of
// this program. What is built goes into buildDir.
func Worker(ctx context.Context, platform, buildDir string, o Options) (Artifact, error) {
	if err := checkPlatform(platform); err != nil {
		return Artifact{}, err
	}
	if !slices.Contains(Architectures(), platform) {
		return Artifact{}, fmt.Errorf("there is no worker for %s: a device is one of %s",
			platform, strings.Join(Architectures(), ", "))
	}
	a, err := o.besideExecutable(platform)
	if errors.Is(err, fs.ErrNotExist) {
		a, err = o.buildWorker(ctx, platform, buildDir)
	}
	if errors.Is(err, errNoSource) {
		if have, haveErr := o.installed.Worker(platform); haveErr == nil {
			a, err = have, nil
			a.Source = WorkDir
		}
	}
	if err != nil {
		return Artifact{}, fmt.Errorf("worker %s: %w", platform, err)
	}
	a.Kind, a.Platform, a.Version = KindWorker, platform, version.Version
	return a, nil
}

// besideExecutable is the worker as a release archive lays it.
func (o Options) besideExecutable(platform string) (Artifact, error) {
	if o.Executable == "" {
		return Artifact{}, fs.ErrNotExist
	}
	path := filepath.Join(filepath.Dir(o.Executable), workerName+"_"+folder(platform))
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Artifact{}, err
	}
	b, err := inspect(path)
	if err != nil {
		return Artifact{}, err
	}
	if b.platform != platform {
		return Artifact{}, fmt.Errorf("%s is built for %s; unpack the release archive again", path, b.platform)
	}
	a, err := describe(path)
	a.Source = "beside the executable"
	return a, err
}

// buildWorker builds the worker from the source folder where there is one, and
// from the module of this version otherwise.
func (o Options) buildWorker(ctx context.Context, platform, buildDir string) (Artifact, error) {
	root, ok := findSource(o.sources)
	release, isRelease := moduleVersion(o.module)
	if !ok && !isRelease {
		return Artifact{}, fmt.Errorf("%w: %s is not beside the executable %s, and the source of this program is not found; "+
			"use a release archive, or build edgeplan in a checkout of %s and run it there",
			errNoSource, workerName+"_"+folder(platform), o.Executable, modulePath)
	}
	b, err := newBuild(platform)
	if err != nil {
		return Artifact{}, err
	}
	if err := os.MkdirAll(buildDir, 0o755); err != nil {
		return Artifact{}, err
	}
	target := filepath.Join(buildDir, workerName+"_"+folder(platform))
	if ok {
		o.progress("worker %s: go build in %s", platform, root)
		err = b.inSource(ctx, root, target)
	} else {
		o.progress("worker %s: go build %s@%s", platform, modulePath, release)
		err = b.ofModule(ctx, release, target)
	}
	if err != nil {
		return Artifact{}, err
	}
	a, err := describe(target)
	a.Source = "built from source"
	return a, err
}
