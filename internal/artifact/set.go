package artifact

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/edgeplan/edgeplan/internal/version"
)

// Set is what was collected for a configuration folder. A file is checked
// against its pin once, when it is first asked for.
type Set struct {
	host    string
	release release
	files   map[key]func() (Artifact, error)
}

type key struct {
	kind     Kind
	platform string
}

// Open gives what `edgeplan init` collected in a configuration folder. It fails
// with ErrNotInitialized where init has not run.
func Open(dir string) (*Set, error) { return open(dir, FromEnvironment()) }

func open(dir string, o Options) (*Set, error) {
	pinned, err := readPins(dir)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, WorkDir)
	if info, err := os.Stat(work); err != nil || !info.IsDir() || len(pinned) == 0 {
		return nil, fmt.Errorf("%w: %s holds no workers and engines; run `edgeplan init`", ErrNotInitialized, work)
	}
	return newSet(dir, pinned, o), nil
}

func newSet(dir string, pinned pins, o Options) *Set {
	s := &Set{host: o.Host, release: o.engineRelease(), files: map[key]func() (Artifact, error){}}
	for _, p := range pinned {
		s.files[key{p.Kind, p.Platform}] = sync.OnceValues(func() (Artifact, error) { return verify(dir, p) })
	}
	return s
}

// verify reads a collected file and checks it against its pin.
func verify(dir string, p pin) (Artifact, error) {
	if p.Kind == KindWorker && p.Version != version.Version {
		return Artifact{}, fmt.Errorf("%w: the worker for %s is of edgeplan %s, and this is %s; run `edgeplan init -upgrade`",
			ErrNotInitialized, p.Platform, p.Version, version.Version)
	}
	a, err := describe(collectedPath(dir, p.Kind, p.Platform))
	if errors.Is(err, fs.ErrNotExist) {
		return Artifact{}, notCollected(p.Kind, p.Platform)
	}
	if err != nil {
		return Artifact{}, fmt.Errorf("the collected %s for %s: %w", p.Kind, p.Platform, err)
	}
	if a.Digest != p.Digest {
		return Artifact{}, fmt.Errorf("%w: %s is not what was collected: its sha256 is %s, and %s has %s; "+
			"run `edgeplan init` to collect it again", ErrDigest, a.Path, a.Digest, filepath.Join(dir, LockFile), p.Digest)
	}
	a.Kind, a.Platform, a.Version, a.Source = p.Kind, p.Platform, p.Version, WorkDir
	return a, nil
}

func notCollected(kind Kind, platform string) error {
	return fmt.Errorf("%w: the %s for %s is not collected; run `edgeplan init`", ErrNotInitialized, kind, platform)
}

// collectedPath is where init puts an artifact.
func collectedPath(dir string, kind Kind, platform string) string {
	if kind == KindWorker {
		return filepath.Join(dir, WorkDir, "workers", folder(platform), workerName)
	}
	return filepath.Join(dir, WorkDir, "engines", folder(platform), LibraryName(platform))
}

// Worker gives the worker program of a platform. It fails with ErrNotInitialized
// where it is not collected, and with ErrDigest where it was changed.
func (s *Set) Worker(platform string) (Artifact, error) { return s.get(KindWorker, platform) }

// Engine gives the engine library of a platform. It fails as Worker does, and
// with ErrUnavailable where there is no engine to collect.
func (s *Set) Engine(platform string) (Artifact, error) { return s.get(KindEngine, platform) }

// OperatorEngine gives the engine library for the operator's own platform.
func (s *Set) OperatorEngine() (Artifact, error) { return s.Engine(s.host) }

func (s *Set) get(kind Kind, platform string) (Artifact, error) {
	if s == nil {
		return Artifact{}, notCollected(kind, platform)
	}
	if file, ok := s.files[key{kind, platform}]; ok {
		return file()
	}
	if _, ok := s.release.library(platform); kind == KindEngine && !ok {
		return Artifact{}, s.release.unavailable(platform)
	}
	return Artifact{}, notCollected(kind, platform)
}
